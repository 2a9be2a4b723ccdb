import { describe, expect, test } from 'vitest';
import { explore, type Exploration, type Invariant, INVARIANTS } from './explore.ts';
import { AS_BUILT, type Protocol, REVERT, type Scope } from './protocol.ts';

/** Two criu, hook or power faults, at any moments, with a controller that dies as often as it likes. */
const HOSTS: Scope = { faults: 2, takesOver: false, hasStrays: false };
const ONE_FAULT: Scope = { ...HOSTS, faults: 1 };
/** A run that is taken over from a controller that is at work. */
const TAKE_OVER: Scope = { faults: 0, takesOver: true, hasStrays: false };
/** A command that takes effect long after its guard let it pass, its controller dead and the run taken up, even begun anew. */
const STRAYS: Scope = { faults: 0, takesOver: false, hasStrays: true };

/** Says by which way an invariant was broken that should hold. */
function expectToHold(found: Exploration, ...except: readonly Invariant[]): void {
  for (const invariant of INVARIANTS.filter((each) => !except.includes(each))) {
    expect(
      found.trace(invariant),
      `${invariant}: broken in ${found.broken[invariant]} states, first by`,
    ).toBe('');
  }
}

describe('the protocol', () => {
  test.each([
    ['two faults of hosts', HOSTS, 30_000],
    ['a run that is taken over while its controller is at work', TAKE_OVER, 12_000],
    ['commands that come late', STRAYS, 6_000],
  ] as const)(
    '%s: one copy at most, none of the past, none ended, and one can be brought to run',
    (_, scope, states) => {
      const found = explore(AS_BUILT, scope);
      expect(found.states).toBeGreaterThan(states);
      expectToHold(found);
    },
  );
});

describe('a revert, whose source runs on until the commit', () => {
  test.each([
    ['two faults of hosts', HOSTS, 10_000],
    ['a run that is taken over while its controller is at work', TAKE_OVER, 10_000],
    ['commands that come late', STRAYS, 5_000],
  ] as const)('%s: the same holds', (_, scope, states) => {
    const found = explore(REVERT, scope);
    expect(found.states).toBeGreaterThan(states);
    expectToHold(found);
  });

  test.each([
    ['the destination is released before the end of the source is seen', { waitsForEnd: false }, ONE_FAULT],
    ['its end is taken for granted', { looksForSurvivors: false, settles: false }, ONE_FAULT],
  ] as const)('two copies would run when %s', (_, rules, scope) => {
    expect(Object.keys(explore({ ...REVERT, ...rules }, scope).broken)).toContain('at most one copy runs');
  });
});

describe('what it did not have when it was first explored', () => {
  const without = (rule: keyof Protocol): Protocol => ({ ...AS_BUILT, [rule]: false });

  test('a rollback ends the destination before it knows that the source cannot commit any more', () => {
    const found = explore(without('abortsSourceFirst'), STRAYS);
    expect(found.trace('the tool can bring one copy to run')).toMatchInlineSnapshot(`
      "newest: dump: done
      source: holds
      newest: sees the source held
      newest: send: done
      newest: restore: done
      destination: holds
      newest: sees the destination held
      newest: waive: waived
      newest: sends commit, and dies
      newest: takes the run up
      newest: lock source: done
      newest: lock destination: done
      older: commit takes effect, its controller gone"
    `);
    expectToHold(found, 'the tool can bring one copy to run');
  });

  test('a take-up reads the decision and the journal before it has the locks: what comes between is not undone', () => {
    const found = explore(without('readsUnderLock'), TAKE_OVER);
    expect(found.trace('one copy can be brought to run')).toMatchInlineSnapshot(`
      "newest: dump: done
      source: holds
      newest: sees the source held
      newest: send: done
      newest: takes the run up
      older: restore: done
      destination: holds
      older: sees the destination held
      older: waive: waived
      newest: lock source: done
      newest: cannot lock destination"
    `);
    expectToHold(found, 'the tool can bring one copy to run', 'one copy can be brought to run');
  });

  test('the holds of a run that begins anew have the names that commands of the earlier attempt know', () => {
    const found = explore(without('namesHolds'), STRAYS);
    expect(found.trace('the tool can bring one copy to run')).toMatchInlineSnapshot(`
      "newest: cannot dump
      newest: abort source: abort
      source: not started
      newest: sees the source run on
      newest: sends clean destination, and dies
      newest: takes the run up
      newest: lock source: done
      newest: lock destination: done
      newest: clean destination: done
      newest: clean source: done
      newest: unlock: done
      a new attempt begins
      newest: dump: done
      source: holds
      newest: sees the source held
      newest: send: done
      newest: restore: done
      destination: holds
      older: clean destination takes effect, its controller gone
      newest: sees the destination held
      newest: waive: waived
      newest: commit: commit"
    `);
    expectToHold(found, 'the tool can bring one copy to run', 'one copy can be brought to run');
  });

  test('a copy whose criu died right after it had let it run is ended, and begins again at the images', () => {
    const found = explore(without('noticesResumed'), ONE_FAULT);
    expect(found.trace('no copy of the past runs')).toMatchInlineSnapshot(`
      "newest: dump: done
      source: holds
      newest: sees the source held
      newest: send: done
      newest: restore: done
      destination: holds
      newest: sees the destination held
      newest: waive: waived
      newest: commit: commit
      source: commits
      newest: sees the source's copy gone
      newest: release: commit
      destination: criu is killed after it let go
      destination: its part is done"
    `);
    expectToHold(found, 'no copy of the past runs');
  });
});

/** Each breaks the protocol without its weaknesses, or else the rule is not needed, or the model does not see it. */
const MUTATIONS: readonly {
  readonly title: string;
  readonly rules: Partial<Protocol>;
  readonly scope: Scope;
  readonly breaks: Invariant;
}[] = [
  {
    title: 'the last decision wins',
    rules: { firstDecisionWins: false },
    scope: ONE_FAULT,
    breaks: 'one copy can be brought to run',
  },
  {
    title: 'a hook that cannot go on commits',
    rules: { hookFailsClosed: false },
    scope: ONE_FAULT,
    breaks: 'at most one copy runs',
  },
  {
    title: 'the lease of the destination is not waived',
    rules: { waivesLease: false },
    scope: ONE_FAULT,
    breaks: 'the tool can bring one copy to run',
  },
  {
    title: 'the destination is released before the end of the source is seen',
    rules: { waitsForEnd: false },
    scope: ONE_FAULT,
    breaks: 'one copy can be brought to run',
  },
  {
    title: 'the same, and a source whose criu is killed runs on',
    rules: { waitsForEnd: false, settles: false },
    scope: ONE_FAULT,
    breaks: 'at most one copy runs',
  },
  {
    title: 'the decision is taken for the end of the source, whose criu was killed',
    rules: { looksForSurvivors: false, settles: false },
    scope: ONE_FAULT,
    breaks: 'at most one copy runs',
  },
  {
    title: 'the lease of the source ends after the commit, and the decision is taken for its end',
    rules: { decisionEndsLease: false, looksForSurvivors: false },
    scope: STRAYS,
    breaks: 'at most one copy runs',
  },
  {
    title: 'a run that has committed is rolled back',
    rules: { believesDecision: false },
    scope: STRAYS,
    breaks: 'one copy can be brought to run',
  },
  {
    title: 'a rollback ends a destination that was told to run',
    // What else keeps a rollback from coming so far is mended in AS_BUILT.
    rules: { sparesReleased: false, abortsSourceFirst: false, readsUnderLock: false },
    scope: TAKE_OVER,
    breaks: 'no copy that was let run is ended',
  },
  {
    title: 'commands do not look at the epoch',
    rules: { guardsEpoch: false },
    scope: TAKE_OVER,
    breaks: 'one copy can be brought to run',
  },
  {
    title: 'the images go although an undo failed',
    rules: { keepsImages: false },
    scope: ONE_FAULT,
    breaks: 'one copy can be brought to run',
  },
  {
    title:
      'nobody does the part of a criu that was killed, and the source runs on beside a destination that waits',
    rules: { settles: false },
    scope: ONE_FAULT,
    breaks: 'one copy can be brought to run',
  },
  {
    title: 'nobody does the part of a criu that was killed, and a wounded source is taken for one that runs',
    rules: { settles: 'wounded' },
    scope: ONE_FAULT,
    breaks: 'one copy can be brought to run',
  },
  {
    title: 'a commit is not on the disk when its host loses its power',
    rules: { syncsCommit: false },
    scope: ONE_FAULT,
    breaks: 'the tool can bring one copy to run',
  },
  {
    title: 'what a killed criu left on the destination runs (assumption 2)',
    rules: { remainsWait: false },
    scope: ONE_FAULT,
    breaks: 'at most one copy runs',
  },
];

describe('the model sees what breaks it', () => {
  test.each(MUTATIONS)('$title', ({ rules, scope, breaks }) => {
    const found = explore({ ...AS_BUILT, ...rules }, scope);
    expect(Object.keys(found.broken), `states: ${found.states}`).toContain(breaks);
    // A counterexample: it begins with what every run begins with, and has an end.
    expect(found.trace(breaks)).toMatch(/^\S[^]*dump[^]*\n.+$/);
  });

  test('a lease that ends after the commit does no harm as long as the end of the source is looked at', () => {
    expectToHold(explore({ ...AS_BUILT, decisionEndsLease: false }, STRAYS));
  });
});
