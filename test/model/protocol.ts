/**
 * A model of the safe protocol (docs/architecture.md), small enough to visit every state that it can come to. Pure.
 *
 * One workload, one run, two hosts, and at most two controllers at a time: the one that has the run, and the one from which
 * it was taken over, which may have died, be frozen, or be slow. A command has two moments: its guard lets it pass, and it
 * takes effect. Between them anything may happen: the death of its controller, a take-over, a whole roll back and
 * beginning anew. Hence a frozen controller that wakes up needs no state of its own: it is one that made no move.
 *
 * What is assumed, and not checked here:
 *
 *  1. link(2), rename(2) and flock(1) are atomic. What a host has on disk outlives a loss of its power: images that were
 *     held, decisions (a commit is synced before it is told), locks. A lost host comes back, or its disk does.
 *  2. The kernel lets go of what a killed criu held. On the source each task has a SIGSTOP pending by then, so it stops, and
 *     somebody does criu's part in its place: its supervisor, or whoever decides (`settles`). On the destination tasks
 *     wait in criu's restorer for a stage that nobody begins any more (restore_root_task in criu/cr-restore.c): they hold
 *     their pids, and never run.
 *  3. criu is not killed on the source before the images are complete while sockets are in repair mode: nothing could
 *     bring these back. A second dump takes them out of repair mode, and a restore from complete images works.
 *  4. criu ends a tree as one: killed at it, it leaves all tasks, or none. Of a part a person is told (COMMIT_FAILED).
 *  5. A running copy that loses its host is lost as any process is (`isLost`): then no invariant asks for a copy, yet
 *     there may never be two.
 *  6. At most two faults of hosts (a killed criu or hold script, a loss of power) in one run; of controllers, replies and
 *     connections any number.
 *  7. Of commands that passed their guard and took no effect yet, one of the controller before the last counts. Those of
 *     still earlier ones are gone.
 *  8. A take-up is begun by a person, of a run whose controller may be at work (`--take-over`, or on another machine,
 *     where nobody can look). Whoever restores by hand has seen that no copy is alive or held, and ends the run.
 *  9. Fence and address are left out: a fence is up on every host whose copy does not run, and goes with what lets it run.
 *     Files and the one-run key are left out too.
 */

/** Which rules hold. {@link AS_BUILT} is the protocol; each rule can be broken, to see that it is needed. */
export interface Protocol {
  /** A decision is linked into place: the first one wins. Else the last one does. */
  readonly firstDecisionWins: boolean;
  /** A hook that cannot go on aborts. Else it commits. */
  readonly hookFailsClosed: boolean;
  /** The lease of the destination ends before the source is decided. */
  readonly waivesLease: boolean;
  /** The destination is told when the source's copy has ended. Else as soon as the source is told. */
  readonly waitsForEnd: boolean;
  /** criu's exit code, or a look at the processes, says whether the source's copy has ended. Else the decision does. */
  readonly looksForSurvivors: boolean;
  /** The lease of the source ends with a decision. Else it can still change the mind of a hold that was told to commit. */
  readonly decisionEndsLease: boolean;
  /** A take-up goes forward when the source was told to commit. Else it always goes back. */
  readonly believesDecision: boolean;
  /** A copy that was told to run is not ended by a rollback. */
  readonly sparesReleased: boolean;
  /** Commands look whether their host still has their epoch. */
  readonly guardsEpoch: boolean;
  /** The images stay when an undo failed. */
  readonly keepsImages: boolean;
  /** A killed criu's part is done in its place; until then its tasks are stopped. Else they run on, or are wounded. */
  readonly settles: boolean | 'wounded';
  /** A commit is on the disk when it counts. */
  readonly syncsCommit: boolean;
  /** Tasks whose criu was killed before their release never run. Assumption 2. */
  readonly remainsWait: boolean;
  /** A rollback decides the source first, so that it cannot commit any more, and leaves the destination if it did. */
  readonly abortsSourceFirst: boolean;
  /** A take-up reads decision and journal again when it has the locks. */
  readonly readsUnderLock: boolean;
  /** Each attempt has holds of its own, where no command of an earlier one reaches them. */
  readonly namesHolds: boolean;
  /** Doing a killed criu's part leaves a copy alone that criu let run before its death. */
  readonly noticesResumed: boolean;
  /** The source's copy is frozen until the decision. Else it runs on, and its images were made before: a revert. */
  readonly freezes: boolean;
}

/** How a hold stands: what criu's exit code, the files of the hold and its processes tell. */
const HOLDS = [
  'armed',
  'started',
  'held',
  /** criu exited with 0. */
  'done',
  /** criu ended by itself, with another code. */
  'failed',
  /** criu was killed, and its supervisor saw it. */
  'killed',
  /** Supervisor and all are gone. */
  'lost',
  /** A decision came before criu was started. */
  'absent',
  /** The directory is gone. */
  'removed',
] as const;
type Hold = (typeof HOLDS)[number];

const HOST_SIZE = HOLDS.length * 3 * 3 * 4;

const DECISIONS = ['none', 'commit', 'abort'] as const;
type Decision = (typeof DECISIONS)[number];

type Role = 'older' | 'newest';

/** Whose epoch a host has. */
const LOCKS = ['older', 'newest', 'nobody'] as const;

/** `stopped`: whole, as the death of criu leaves it. `wounded`: its sockets stay in repair mode, it serves nobody. */
const TASKS = ['running', 'frozen', 'stopped', 'wounded', 'gone'] as const;

/** `remains`: what a killed criu left, which holds the pids and never runs. */
const COPIES = ['none', 'held', 'remains', 'running'] as const;

const LEASE_ENDS = ['none', 'waived', 'expired'] as const;

interface HostState {
  readonly hold: Hold;
  readonly decision: Decision;
  /** What criu left undone was done, or needed nothing. */
  readonly isSettled: boolean;
  readonly hasImages: boolean;
  readonly lock: (typeof LOCKS)[number];
}

interface Source extends HostState {
  readonly tasks: (typeof TASKS)[number];
}

interface Destination extends HostState {
  readonly copy: (typeof COPIES)[number];
  readonly leaseEnd: (typeof LEASE_ENDS)[number];
}

/** One round trip each. */
const COMMANDS = [
  'dump',
  'send',
  'restore',
  'waive',
  'commit',
  'release',
  'lock source',
  'lock destination',
  'abort destination',
  'abort source',
  'clean destination',
  'clean source',
  'unlock',
] as const;
type Command = (typeof COMMANDS)[number];

/** Ends that it waits for. */
const WAITS = [
  'until dumped',
  'until restored',
  'until source ended',
  'until released',
  'until destination aborted',
  'until source aborted',
] as const;

type Place = Command | (typeof WAITS)[number] | 'nothing';
const PLACES: readonly Place[] = [...COMMANDS, ...WAITS, 'nothing'];

/** What is, or is to be, taken back. */
const UNDONE = ['none', 'source', 'destination', 'both'] as const;
type Undone = (typeof UNDONE)[number];

const OUTCOMES = ['none', 'moved', 'rolled back'] as const;

interface Controller {
  readonly at: Place;
  /** The guard let its command pass, which has not taken effect. */
  readonly isSent: boolean;
  /** A dead one can still have a command on its way. */
  readonly isAlive: boolean;
  readonly way: 'forward' | 'back';
  /** What it is to undo, as it knows it. */
  readonly undoes: Undone;
  readonly hasUndoFailed: boolean;
}

/** What the journals of all attempts tell. */
interface Journal {
  readonly hasRestore: boolean;
  readonly isReleased: boolean;
  readonly undone: Undone;
  /** Its outcome, when the run came to an end that leaves nothing to do. */
  readonly outcome: (typeof OUTCOMES)[number];
}

export interface State {
  readonly source: Source;
  readonly destination: Destination;
  readonly older: Controller;
  readonly newest: Controller;
  readonly journal: Journal;
  /** A copy ran on after the images were written: they are of the past. */
  readonly hasRunOn: boolean;
  /** Assumption 5. */
  readonly isLost: boolean;
  /** A copy of the past was let run. */
  readonly isRewound: boolean;
  readonly byHand: boolean;
  readonly faults: number;
}

export interface Transition {
  readonly label: string;
  /** `step`: it comes if nothing goes wrong. `hand`: a person restores from images. `fault`: what need not come. */
  readonly kind: 'step' | 'hand' | 'fault';
  readonly state: State;
}

export const AS_BUILT: Protocol = {
  firstDecisionWins: true,
  hookFailsClosed: true,
  waivesLease: true,
  waitsForEnd: true,
  looksForSurvivors: true,
  decisionEndsLease: true,
  believesDecision: true,
  sparesReleased: true,
  guardsEpoch: true,
  keepsImages: true,
  settles: true,
  syncsCommit: true,
  remainsWait: true,
  abortsSourceFirst: true,
  readsUnderLock: true,
  namesHolds: true,
  noticesResumed: true,
  freezes: true,
};

/** What is held is a copy that runs; a checkpoint on the destination, which stays, is to take its place. */
export const REVERT: Protocol = { ...AS_BUILT, freezes: false };

const NOBODY: Controller = {
  at: 'nothing',
  isSent: false,
  isAlive: false,
  way: 'forward',
  undoes: 'none',
  hasUndoFailed: false,
};
const STRAY: Controller = { ...NOBODY, isSent: true };
const MOVER: Controller = { ...NOBODY, at: 'dump', isAlive: true };
const ARMED: HostState = {
  hold: 'armed',
  decision: 'none',
  isSettled: false,
  hasImages: false,
  lock: 'newest',
};
const JOURNAL: Journal = { hasRestore: false, isReleased: false, undone: 'none', outcome: 'none' };

/** Prepared: locks taken, both holds armed, nothing frozen. */
export const INITIAL: State = {
  source: { ...ARMED, tasks: 'running' },
  destination: { ...ARMED, copy: 'none', leaseEnd: 'none' },
  older: NOBODY,
  newest: MOVER,
  journal: JOURNAL,
  hasRunOn: false,
  isLost: false,
  isRewound: false,
  byHand: false,
  faults: 0,
};

/** How much may go wrong at once: what is not looked at together is looked at in turn. */
export interface Scope {
  /** Assumption 6. */
  readonly faults: number;
  /** A run may be taken over from a controller that is at work. */
  readonly takesOver: boolean;
  /** A command may take effect after its controller is gone, or has the run no more. */
  readonly hasStrays: boolean;
}

/** The same five characters for the same state: of each part, its number among all that it could be. */
export function keyOf(state: State): string {
  const { source, destination, older, newest, journal } = state;
  const copy = COPIES.indexOf(destination.copy) * 3 + LEASE_ENDS.indexOf(destination.leaseEnd);
  const end = UNDONE.indexOf(journal.undone) * 3 + OUTCOMES.indexOf(journal.outcome);
  const flags =
    Number(state.hasRunOn) +
    Number(state.isLost) * 2 +
    Number(state.isRewound) * 4 +
    Number(state.byHand) * 8 +
    Number(journal.hasRestore) * 16 +
    Number(journal.isReleased) * 32;
  return String.fromCharCode(
    TASKS.indexOf(source.tasks) * HOST_SIZE + numberOfHost(source),
    copy * HOST_SIZE + numberOfHost(destination),
    numberOfController(older),
    numberOfController(newest),
    (end * 4 + state.faults) * 64 + flags,
  );
}

function numberOfHost({ hold, decision, isSettled, hasImages, lock }: HostState): number {
  const number = (HOLDS.indexOf(hold) * 3 + DECISIONS.indexOf(decision)) * 3 + LOCKS.indexOf(lock);
  return number * 4 + Number(isSettled) * 2 + Number(hasImages);
}

function numberOfController({ at, isSent, isAlive, way, undoes, hasUndoFailed }: Controller): number {
  const number = PLACES.indexOf(at) * 4 + UNDONE.indexOf(undoes);
  return (
    number * 16 +
    Number(isSent) * 8 +
    Number(isAlive) * 4 +
    Number(way === 'back') * 2 +
    Number(hasUndoFailed)
  );
}

export function copiesRunning({ source, destination }: State): number {
  return Number(source.tasks === 'running') + Number(destination.copy === 'running');
}

/** What all is for: one copy runs, and nothing is held anywhere. */
export function isAtRest(state: State): boolean {
  const { source, destination } = state;
  const isHeld = source.tasks === 'frozen' || source.tasks === 'stopped' || source.hold === 'held';
  return copiesRunning(state) === 1 && !isHeld && hasNothing(destination);
}

function hasNothing({ copy, hold }: Destination): boolean {
  return (copy === 'none' || copy === 'running') && hold !== 'held' && hold !== 'started';
}

/** Whether criu of a hold has come to its end, and so has what is to be done after it. */
function hasEnded({ hold, isSettled }: HostState): boolean {
  if (hold === 'failed' || hold === 'killed' || hold === 'lost') return isSettled;
  return hold === 'done' || hold === 'absent' || hold === 'removed';
}

const COMMAND_HOST: Readonly<Record<Command, 'source' | 'destination'>> = {
  dump: 'source',
  send: 'source',
  restore: 'destination',
  waive: 'destination',
  commit: 'source',
  release: 'destination',
  'lock source': 'source',
  'lock destination': 'destination',
  'abort destination': 'destination',
  'abort source': 'source',
  'clean destination': 'destination',
  'clean source': 'source',
  unlock: 'source',
};

function isCommand(at: Place): at is Command {
  return Object.hasOwn(COMMAND_HOST, at);
}

function awaitedHost(at: Place): 'source' | 'destination' | undefined {
  switch (at) {
    case 'until source ended':
    case 'until source aborted':
      return 'source';
    case 'until released':
    case 'until destination aborted':
      return 'destination';
    default:
      return undefined;
  }
}

type Add = (label: string, state: State, kind?: Transition['kind']) => void;

/** Everything that can happen next. */
export function next(state: State, rules: Protocol, scope: Scope): Transition[] {
  const transitions: Transition[] = [];
  const add: Add = (label, after, kind = 'step') => {
    if (after.faults <= scope.faults) transitions.push({ label, kind, state: after });
  };
  sourceHold(state, rules, add);
  destinationHold(state, rules, add);
  for (const role of ['older', 'newest'] as const) controller(state, role, rules, scope, add);
  takeUp(state, rules, scope, add);
  losePower(state, rules, add);
  restoreByHand(state, add);
  return transitions;
}

function withSource(state: State, change: Partial<Source>): State {
  return { ...state, source: { ...state.source, ...change } };
}

function withDestination(state: State, change: Partial<Destination>): State {
  return { ...state, destination: { ...state.destination, ...change } };
}

function withController(state: State, role: Role, one: Controller): State {
  return role === 'older' ? { ...state, older: one } : { ...state, newest: one };
}

/** Lets the source's copy run: what was written of it before is of the past from then on. */
function sourceRuns(state: State, change: Partial<Source>): State {
  const isRunning = state.source.tasks === 'running';
  const after = withSource(state, { ...change, tasks: 'running' });
  return isRunning ? after : { ...after, hasRunOn: true };
}

/** Restores from the images, which a copy may have run past. */
function sourceRestored(state: State, change: Partial<Source>): State {
  return { ...sourceRuns(state, change), isRewound: state.isRewound || (state.hasRunOn && !state.isLost) };
}

function destinationRuns(state: State, change: Partial<Destination>): State {
  const isRewound = state.isRewound || (state.hasRunOn && !state.isLost);
  return { ...withDestination(state, { ...change, copy: 'running' }), isRewound, hasRunOn: true };
}

/** criu, its action script, its supervisor and its lease on the source. */
function sourceHold(state: State, rules: Protocol, add: Add): void {
  const { source } = state;
  const { hold, decision } = source;
  const addFault = faultsOf(state, add);
  if (hold === 'armed' && decision !== 'none')
    add('source: not started', withSource(state, { hold: 'absent' }));
  if (hold === 'started') {
    add('source: holds', withSource(state, { hold: 'held', hasImages: rules.freezes }));
    addFault('source: the dump fails', {
      ...letRunOn(state, { hold: 'failed' }, rules),
      hasRunOn: state.hasRunOn,
    });
  }
  if (hold === 'held') {
    // Both lease-end and the decision are linked before anything follows from them, and nobody waives: one move.
    if (decision === 'none' || (decision === 'commit' && !rules.decisionEndsLease)) {
      add('source: the lease ends', withSource(state, { decision: 'abort' }));
    }
    if (decision === 'abort')
      add('source: aborts', letRunOn(state, { hold: 'failed', isSettled: true }, rules));
    if (decision === 'commit') add('source: commits', withSource(state, { hold: 'done', tasks: 'gone' }));
    for (const end of ['killed', 'lost'] as const) {
      const [what, change] = [
        `source: ${end === 'killed' ? 'criu is' : 'criu and all are'} killed`,
        { hold: end },
      ];
      if (!rules.freezes) addFault(what, withSource(state, change));
      else if (rules.settles === true) addFault(what, withSource(state, { ...change, tasks: 'stopped' }));
      else if (rules.settles === false) addFault(what, sourceRuns(state, { ...change, isSettled: true }));
      else addFault(what, withSource(state, { ...change, isSettled: true, tasks: 'wounded' }));
      if (decision === 'commit')
        addFault(`${what} when it has`, withSource(state, { ...change, tasks: 'gone' }));
    }
    if (!rules.freezes) {
      addFault('source: the hook is killed', withSource(state, { hold: 'failed' }));
    } else if (rules.hookFailsClosed) {
      // criu resumes the tasks, which stop by their pending SIGSTOP.
      addFault('source: the hook is killed', withSource(state, { hold: 'failed', tasks: 'stopped' }));
    } else {
      addFault('source: the hook is killed', withSource(state, { hold: 'done', tasks: 'gone' }));
    }
  }
  if ((hold === 'failed' || hold === 'killed') && !source.isSettled) {
    if (decision === 'none') add('source: criu is gone: abort', withSource(state, { decision: 'abort' }));
    else add('source: its part is done', settleSource(state, rules));
  }
  if (!rules.freezes && source.tasks === 'running') {
    const isLost = state.isLost || isOver(state);
    addFault('source: its copy ends by itself', { ...withSource(state, { tasks: 'gone' }), isLost });
  }
}

/** Whoever is left alive by a run that is over may end as any process does. */
function isOver({ journal }: State): boolean {
  return journal.outcome !== 'none';
}

/** What an abort does: one that was never frozen needs nothing, and may have ended. */
function letRunOn(state: State, change: Partial<Source>, { freezes }: Protocol): State {
  return freezes ? sourceRuns(state, change) : withSource(state, change);
}

/** Carries a decision out in the place of a criu that did not. */
function settleSource(state: State, rules: Protocol): State {
  const { tasks, hasImages, decision } = state.source;
  if (decision === 'commit') return withSource(state, { isSettled: true, tasks: 'gone' });
  if (tasks !== 'gone' || !rules.freezes) return letRunOn(state, { isSettled: true }, rules);
  // Images that are not complete: it fails, and a person is told.
  return hasImages ? sourceRestored(state, { isSettled: true }) : withSource(state, { isSettled: true });
}

/** The same on the destination, where a lease can be waived. */
function destinationHold(state: State, rules: Protocol, add: Add): void {
  const { destination } = state;
  const { hold, decision, leaseEnd } = destination;
  const addFault = faultsOf(state, add);
  if (hold === 'armed' && decision !== 'none') {
    add('destination: not started', withDestination(state, { hold: 'absent' }));
  }
  if (hold === 'started') {
    add('destination: holds', withDestination(state, { hold: 'held', copy: 'held' }));
    addFault('destination: the restore fails', withDestination(state, { hold: 'failed' }));
  }
  if (hold === 'held') {
    if (decision === 'none' && leaseEnd === 'none') {
      add('destination: the lease ends', withDestination(state, { leaseEnd: 'expired' }));
    }
    if (decision === 'none' && leaseEnd === 'expired') {
      add('destination: the lease aborts', withDestination(state, { decision: 'abort' }));
    }
    if (decision === 'abort') {
      add('destination: aborts', withDestination(state, { hold: 'failed', isSettled: true, copy: 'none' }));
    }
    if (decision === 'commit') add('destination: runs', destinationRuns(state, { hold: 'done' }));
    for (const end of ['killed', 'lost'] as const) {
      const what = `destination: ${end === 'killed' ? 'criu is' : 'criu and all are'} killed`;
      if (rules.remainsWait) addFault(what, withDestination(state, { hold: end, copy: 'remains' }));
      else addFault(what, destinationRuns(state, { hold: end }));
      // In post-resume.
      if (decision === 'commit') addFault(`${what} after it let go`, destinationRuns(state, { hold: end }));
    }
    if (rules.hookFailsClosed) {
      addFault('destination: the hook is killed', withDestination(state, { hold: 'failed', copy: 'none' }));
    } else {
      addFault('destination: the hook is killed', destinationRuns(state, { hold: 'done' }));
    }
  }
  if ((hold === 'failed' || hold === 'killed') && !destination.isSettled) {
    if (decision !== 'none') add('destination: its part is done', settleDestination(state, rules));
    else if (leaseEnd !== 'waived') {
      add(
        'destination: criu is gone: abort',
        withDestination(state, { leaseEnd: 'expired', decision: 'abort' }),
      );
    }
  }
}

function settleDestination(state: State, rules: Protocol): State {
  const { decision, copy, hasImages } = state.destination;
  if (decision !== 'commit') return withDestination(state, { isSettled: true, copy: 'none' });
  if (copy === 'running' && rules.noticesResumed) return withDestination(state, { isSettled: true });
  return hasImages
    ? destinationRuns(state, { isSettled: true })
    : withDestination(state, { isSettled: true, copy: 'none' });
}

function faultsOf(state: State, add: Add): (label: string, after: State) => void {
  return (label, after) => {
    add(label, { ...after, faults: state.faults + 1 }, 'fault');
  };
}

/** One controller: says a command and hears of it or not, waits for an end, or dies. */
function controller(state: State, role: Role, rules: Protocol, scope: Scope, add: Add): void {
  const self = state[role];
  const { at, isSent, isAlive } = self;
  if (at === 'nothing') return;
  const say = (label: string): string => `${role}: ${label}`;
  const end = (from: State): State => withController(from, role, NOBODY);
  if (!isCommand(at)) {
    if (isAlive) add(say('dies'), end(state), 'fault');
    wait(state, role, rules, add);
    return;
  }
  const before = noteBefore(state, self);
  const mayPass = isSent || canPass(state, role, rules);
  if (isAlive) {
    add(say('dies'), end(state), 'fault');
    if (mayPass && scope.hasStrays && !isHarmless(at)) {
      add(say(`sends ${at}, and dies`), withController(before, role, { ...STRAY, at }), 'fault');
    }
    if (!mayPass && role === 'older') {
      add(say('is superseded'), end(state));
      return;
    }
    add(say(`cannot ${at}`), afterError(before, role, rules), 'fault');
  }
  // Nothing waits for ever on its way.
  if (!isAlive) add(say(`${at} never comes`), end(state));
  if (!mayPass) return;
  for (const { state: after, answer } of effect(before, role, at, rules)) {
    const heard = passing(state, after, role, rules, scope);
    for (const each of heard) {
      const late = isSent ? ', late' : '';
      if (!isAlive) add(say(`${at} takes effect, its controller gone`), end(each), 'fault');
      else {
        add(
          say(`${at}: ${answer}${late}`),
          afterAnswer(each, role, answer, rules),
          isSent ? 'fault' : 'step',
        );
        add(say(`${at}: ${answer}${late}, reply lost`), afterError(each, role, rules), 'fault');
      }
    }
  }
}

/** The guard's look at the epoch. Locks have one of their own. */
function canPass(state: State, role: Role, rules: Protocol): boolean {
  const { at } = state[role];
  if (!isCommand(at)) return false;
  return isLocking(at) || !rules.guardsEpoch || state[COMMAND_HOST[at]].lock === role;
}

/**
 * A command that passed its guard matters as such only where the guard would stop it now: when a lock has just been taken
 * over. Before that, it may as well have passed at the moment in which it takes effect.
 */
function passing(before: State, after: State, role: Role, rules: Protocol, scope: Scope): State[] {
  const { older } = after;
  if (!scope.hasStrays || role === 'older' || !older.isAlive || older.isSent) return [after];
  if (!isCommand(older.at) || isHarmless(older.at)) return [after];
  if (!canPass(before, 'older', rules) || canPass(after, 'older', rules)) return [after];
  return [after, { ...noteBefore(after, older), older: { ...older, isSent: true } }];
}

/** Late ones look at the epoch once more, under the lock; images that are sent twice are the same. */
function isHarmless(at: Command): boolean {
  return isLocking(at) || at === 'unlock' || at === 'send';
}

function isLocking(at: Command): boolean {
  return at === 'lock source' || at === 'lock destination';
}

/** A step is in the journal before it begins. */
function noteBefore(state: State, { at }: Controller): State {
  if (at !== 'restore') return state;
  return { ...state, journal: { ...state.journal, hasRestore: true } };
}

type Answer = 'done' | 'refused' | 'none' | 'commit' | 'abort' | 'waived' | 'expired';

/** What a command changes, and what it says; nothing as long as it waits. */
function effect(
  state: State,
  role: Role,
  command: Command,
  rules: Protocol,
): { readonly state: State; readonly answer: Answer }[] {
  const { source, destination } = state;
  const done = (after: State, answer: Answer = 'done'): { state: State; answer: Answer }[] => [
    { state: after, answer },
  ];
  switch (command) {
    case 'dump':
      if (source.hold !== 'armed' || source.decision !== 'none') return done(state, 'refused');
      return done(withSource(state, { hold: 'started', tasks: rules.freezes ? 'frozen' : source.tasks }));
    case 'send':
      return (source.hasImages || !rules.freezes) && destination.hold !== 'removed'
        ? done(withDestination(state, { hasImages: true }))
        : done(state, 'refused');
    case 'restore':
      if (destination.hold !== 'armed' || destination.decision !== 'none' || !destination.hasImages) {
        return done(state, 'refused');
      }
      return done(withDestination(state, { hold: 'started' }));
    case 'waive': {
      if (destination.hold === 'removed') return done(state, 'none');
      const leaseEnd = destination.leaseEnd === 'none' ? 'waived' : destination.leaseEnd;
      return done(withDestination(state, { leaseEnd }), leaseEnd);
    }
    case 'commit':
    case 'abort source': {
      if (source.hold === 'removed') return done(state, 'none');
      const decision = decide(source, command === 'commit' ? 'commit' : 'abort', rules);
      return done(withSource(state, { decision }), decision);
    }
    case 'release':
    case 'abort destination': {
      if (destination.hold === 'removed') return done(state, 'none');
      const decision = decide(destination, command === 'release' ? 'commit' : 'abort', rules);
      return done(withDestination(state, { decision }), decision);
    }
    case 'lock source':
      if (role === 'older' && source.lock === 'newest') return done(state, 'refused');
      return done(withSource(state, { lock: role }));
    case 'lock destination':
      if (role === 'older' && destination.lock === 'newest') return done(state, 'refused');
      return done(withDestination(state, { lock: role }));
    case 'clean destination':
      return cleanDestination(state, rules).map((after) => ({ state: after, answer: 'done' }));
    case 'clean source':
      return cleanSource(state, rules).map((after) => ({ state: after, answer: 'done' }));
    case 'unlock': {
      // Each host's only if it is ours.
      const unlocked = source.lock === role ? withSource(state, { lock: 'nobody' }) : state;
      return done(destination.lock === role ? withDestination(unlocked, { lock: 'nobody' }) : unlocked);
    }
  }
}

function decide({ decision }: HostState, wanted: 'commit' | 'abort', rules: Protocol): Decision {
  return decision === 'none' || !rules.firstDecisionWins ? wanted : decision;
}

const REMOVED = { hold: 'removed', decision: 'none', isSettled: false, hasImages: false } as const;

/** Aborts what nobody decided, waits for its end, removes the directory with its images. */
function cleanDestination(state: State, rules: Protocol): State[] {
  const decided = withDestination(state, { decision: decide(state.destination, 'abort', rules) });
  const isOpen = state.destination.hold === 'lost' && !state.destination.isSettled;
  const after = isOpen ? settleDestination(decided, rules) : state;
  const { destination } = after;
  if (destination.hold === 'armed' || hasEnded(destination)) {
    return [withDestination(after, { ...REMOVED, leaseEnd: 'none' })];
  }
  // The wait is in the same round trip: the command goes on when it is over.
  return destination.decision === 'none' ? [decided] : [];
}

function cleanSource(state: State, rules: Protocol): State[] {
  const decided = withSource(state, { decision: decide(state.source, 'abort', rules) });
  const isOpen = state.source.hold === 'lost' && !state.source.isSettled;
  const after = isOpen ? settleSource(decided, rules) : state;
  const { source } = after;
  if (source.hold === 'armed' || hasEnded(source)) return [withSource(after, REMOVED)];
  return source.decision === 'none' ? [decided] : [];
}

/** Where a controller goes when its command was answered. */
function afterAnswer(state: State, role: Role, answer: Answer, rules: Protocol): State {
  const self = state[role];
  const go = (at: Place, change: Partial<Controller> = {}, from = state): State =>
    withController(from, role, { ...self, isSent: false, ...change, at });
  const stop = (from = state): State => withController(from, role, NOBODY);
  switch (self.at) {
    case 'dump':
      return answer === 'done' ? go('until dumped') : rollBack(state, role, 'source', rules);
    case 'send':
      return answer === 'done' ? go('restore') : rollBack(state, role, 'source', rules);
    case 'restore':
      return answer === 'done' ? go('until restored') : rollBack(state, role, 'both', rules);
    case 'waive':
      return answer === 'waived' ? go('commit') : rollBack(state, role, 'both', rules);
    case 'commit':
      if (answer !== 'commit') return rollBack(state, role, 'both', rules);
      return go(rules.waitsForEnd ? 'until source ended' : 'release');
    case 'release':
      return answer === 'none' ? stop() : go('until released');
    case 'lock source':
      return answer === 'refused' ? stop() : go('lock destination');
    case 'lock destination':
      return answer === 'refused' ? stop() : afterLocks(state, role, rules);
    case 'abort destination':
      if (answer === 'commit' && rules.sparesReleased) return undoneDestination(state, role, false, rules);
      return go('until destination aborted');
    case 'abort source':
      // Past the commit point after all: whoever resumes goes forward.
      if (answer === 'commit')
        return rules.abortsSourceFirst ? stop() : undoneSource(state, role, false, rules);
      return go('until source aborted');
    case 'clean destination':
      return state.destination.hold === 'removed' ? go('clean source') : go('clean destination');
    case 'clean source':
      return state.source.hold === 'removed' ? go('unlock') : go('clean source');
    case 'unlock': {
      // Where nothing runs, what is left makes the run one that is not over.
      const isLeft = state.source.hold !== 'removed' || state.destination.hold !== 'removed';
      if (self.way === 'back' && isLeft && state.source.tasks === 'gone' && !rules.freezes) return stop();
      const outcome = self.way === 'back' ? 'rolled back' : 'moved';
      return stop(role === 'newest' ? { ...state, journal: { ...state.journal, outcome } } : state);
    }
    default:
      return state;
  }
}

/** Where it goes when it cannot say whether its command took effect. */
function afterError(state: State, role: Role, rules: Protocol): State {
  const self = state[role];
  const go = (at: Place, change: Partial<Controller> = {}): State =>
    withController(state, role, { ...self, isSent: false, ...change, at });
  switch (self.at) {
    case 'dump':
    case 'send':
      return rollBack(state, role, 'source', rules);
    case 'restore':
    case 'waive':
      return rollBack(state, role, 'both', rules);
    // Said again until it is heard; giving up is the same as dying.
    case 'commit':
    case 'release':
      return go(self.at);
    case 'lock destination':
      // A destination that is gone keeps nobody from putting the source right.
      if (self.way !== 'back') return withController(state, role, NOBODY);
      return rules.readsUnderLock
        ? afterLocks(state, role, rules, true)
        : undoneDestination(state, role, false, rules);
    case 'abort destination':
      return undoneDestination(state, role, false, rules);
    case 'abort source':
      return undoneSource(state, role, false, rules);
    // What cannot be removed is a warning.
    case 'clean destination':
      return go('clean source');
    case 'clean source':
      return go('unlock');
    default:
      return withController(state, role, NOBODY);
  }
}

/** What it waits for. The wait of a commit goes on by itself when a hold was lost: what was decided is done in its place. */
function wait(state: State, role: Role, rules: Protocol, add: Add): void {
  const self = state[role];
  const { source, destination } = state;
  const go = (at: Place, from = state): State => withController(from, role, { ...self, at });
  const say = (label: string): string => `${role}: ${label}`;
  const host = awaitedHost(self.at);
  if (host !== undefined) {
    const { hold, decision, isSettled } = state[host];
    if (hold === 'lost' && decision !== 'none' && !isSettled) {
      const after = host === 'source' ? settleSource(state, rules) : settleDestination(state, rules);
      add(say(`does criu's part on the ${host}`), after);
    }
    // A fault of the connection while it waits. The commit says it all again, and comes back here.
    if (self.at === 'until destination aborted') {
      add(say('loses the destination'), undoneDestination(state, role, false, rules), 'fault');
    }
    if (self.at === 'until source aborted') {
      add(say('loses the source'), undoneSource(state, role, false, rules), 'fault');
    }
  }
  switch (self.at) {
    case 'until dumped':
      if (source.hold === 'held') add(say('sees the source held'), go('send'));
      else if (source.hold !== 'started') {
        add(say('sees the dump fail'), rollBack(state, role, 'source', rules));
      }
      add(say('is interrupted'), rollBack(state, role, 'source', rules), 'fault');
      break;
    case 'until restored':
      if (destination.hold === 'held')
        add(say('sees the destination held'), go(rules.waivesLease ? 'waive' : 'commit'));
      else if (destination.hold !== 'started') {
        add(say('sees the restore fail'), rollBack(state, role, 'both', rules));
      }
      add(say('is interrupted'), rollBack(state, role, 'both', rules), 'fault');
      break;
    case 'until source ended': {
      if (!rules.looksForSurvivors) {
        if (source.hold !== 'started' && source.hold !== 'held') add(say('sees a decision'), go('release'));
      } else if (hasEnded(source)) {
        if (source.hold === 'done' || source.tasks === 'gone')
          add(say("sees the source's copy gone"), go('release'));
        // Neither back nor forth.
        else add(say("sees the source's copy alive"), withController(state, role, NOBODY));
      }
      break;
    }
    case 'until released':
      if (!hasEnded(destination)) break;
      if (
        destination.hold === 'done' ||
        (destination.decision === 'commit' && destination.hold !== 'absent')
      ) {
        const journal = { ...state.journal, isReleased: true };
        add(say('sees the destination run'), go('clean destination', { ...state, journal }));
      } else add(say('sees the release fail'), withController(state, role, NOBODY));
      break;
    case 'until destination aborted':
      if (hasEnded(destination)) {
        // Helpers and, were the spared one not spared, a copy that runs.
        const after = withDestination(state, { copy: 'none' });
        add(say('sees the destination undone'), undoneDestination(after, role, true, rules));
      }
      break;
    case 'until source aborted':
      if (hasEnded(source)) {
        // Of a revert only the images count.
        const isGood = source.hold !== 'done' && (source.tasks !== 'gone' || !rules.freezes);
        add(say(`sees the source ${isGood ? 'run on' : 'gone'}`), undoneSource(state, role, isGood, rules));
      }
      break;
    default:
  }
}

/** Begins to take back what it knows to have begun. */
function rollBack(state: State, role: Role, undoes: Undone, rules: Protocol): State {
  return nextUndo(
    withController(state, role, { ...state[role], isSent: false, way: 'back', undoes }),
    role,
    rules,
  );
}

/** The next undo, or the end of them. */
function nextUndo(state: State, role: Role, rules: Protocol): State {
  const self = state[role];
  const first = rules.abortsSourceFirst ? 'source' : 'destination';
  const left = self.undoes === 'both' ? first : self.undoes;
  if (left !== 'none') return withController(state, role, { ...self, isSent: false, at: `abort ${left}` });
  // What could not be put back may need the images.
  if (self.hasUndoFailed && rules.keepsImages) return withController(state, role, NOBODY);
  return withController(state, role, { ...self, isSent: false, at: 'clean destination' });
}

function undoneDestination(state: State, role: Role, isGood: boolean, rules: Protocol): State {
  const { undoes } = state[role];
  const isMine = undoes === 'both' || undoes === 'destination';
  return undone(state, role, isMine ? 'destination' : undefined, isGood, rules);
}

function undoneSource(state: State, role: Role, isGood: boolean, rules: Protocol): State {
  // Without its word the source may commit yet.
  if (rules.abortsSourceFirst && state.source.decision !== 'abort')
    return withController(state, role, NOBODY);
  return undone(state, role, 'source', isGood, rules);
}

/** One undo was tried; those that were done are not done again by later attempts. */
function undone(
  state: State,
  role: Role,
  what: 'source' | 'destination' | undefined,
  isGood: boolean,
  rules: Protocol,
): State {
  const self = state[role];
  const other = what === 'source' ? 'destination' : 'source';
  const undoes = what === undefined ? self.undoes : self.undoes === 'both' ? other : 'none';
  const hasUndoFailed = self.hasUndoFailed || (what !== undefined && !isGood);
  const before = state.journal.undone;
  const journal =
    what !== undefined && isGood
      ? { ...state.journal, undone: before === 'none' || before === what ? what : ('both' as const) }
      : state.journal;
  return nextUndo(
    withController({ ...state, journal }, role, { ...self, isSent: false, undoes, hasUndoFailed }),
    role,
    rules,
  );
}

/**
 * A person takes the run up, after the death of its controller or while it works. The commands `resume` and `rollback`
 * differ only before the commit point: `resume` begins anew after it has taken all back.
 */
function takeUp(state: State, rules: Protocol, scope: Scope, add: Add): void {
  const { newest, journal, source, destination } = state;
  if (state.byHand) return;
  const mayBegin = source.tasks === 'running' || !rules.freezes;
  if (journal.outcome === 'rolled back' && mayBegin && newest.at === 'nothing') {
    if (source.hold !== 'removed' || destination.hold !== 'removed') return;
    add('a new attempt begins', {
      ...state,
      source: { ...ARMED, tasks: source.tasks },
      destination: { ...ARMED, copy: 'none', leaseEnd: 'none' },
      // Its holds are not those that a command on its way knows.
      older: rules.namesHolds ? NOBODY : outdated(state.older),
      newest: MOVER,
      journal: JOURNAL,
      hasRunOn: false,
    });
  }
  if (journal.outcome !== 'none' || (newest.isAlive && !scope.takesOver)) return;
  const lower = (lock: HostState['lock']): HostState['lock'] => (lock === 'newest' ? 'older' : 'nobody');
  const taken: State = {
    ...state,
    source: { ...source, lock: lower(source.lock) },
    destination: { ...destination, lock: lower(destination.lock) },
    older: newest.at === 'nothing' ? outdated(state.older) : newest,
    newest: { ...bound(state, rules), at: 'lock source' },
  };
  add('newest: takes the run up', taken, newest.isAlive ? 'fault' : 'step');
}

/** Only a command on its way is left of one that has been taken over from twice. */
function outdated(one: Controller): Controller {
  return one.isSent ? { ...one, isAlive: false } : NOBODY;
}

/** Which way a take-up goes by what it reads, and what it would undo. */
function bound({ source, journal }: State, rules: Protocol): Controller {
  const isCommitted = (source.decision === 'commit' && rules.believesDecision) || journal.isReleased;
  if (isCommitted) return { ...MOVER, way: 'forward' };
  const undoesDestination =
    journal.hasRestore && journal.undone !== 'destination' && journal.undone !== 'both';
  const undoesSource = journal.undone !== 'source' && journal.undone !== 'both';
  const undoes = undoesSource
    ? undoesDestination
      ? ('both' as const)
      : ('source' as const)
    : undoesDestination
      ? ('destination' as const)
      : ('none' as const);
  return { ...MOVER, way: 'back', undoes };
}

function afterLocks(state: State, role: Role, rules: Protocol, isDestinationLost = false): State {
  const known = rules.readsUnderLock ? bound(state, rules) : state[role];
  const self = { ...known, isSent: false };
  if (self.way === 'forward') {
    const at = state.journal.isReleased ? 'clean destination' : 'commit';
    return withController(state, role, isDestinationLost ? NOBODY : { ...self, at });
  }
  if (!isDestinationLost) return nextUndo(withController(state, role, self), role, rules);
  // Somebody else may reach it: what is there is not undone, and this rollback not complete.
  const undoes = self.undoes === 'both' || self.undoes === 'source' ? 'source' : 'none';
  return nextUndo(withController(state, role, { ...self, undoes, hasUndoFailed: true }), role, rules);
}

/** Power is lost and comes back: processes are gone, commands on their way too, what is on disk stays. */
function losePower(state: State, rules: Protocol, add: Add): void {
  const addFault = faultsOf(state, add);
  const { source, destination } = state;
  const without = (host: 'source' | 'destination', after: State): State => {
    const drop = (one: Controller): Controller => {
      if (!one.isSent || !isCommand(one.at) || COMMAND_HOST[one.at] !== host) return one;
      return one.isAlive ? { ...one, isSent: false } : NOBODY;
    };
    return { ...after, older: drop(after.older), newest: drop(after.newest) };
  };
  const lost = (hold: Hold): Hold =>
    hold === 'armed' || hold === 'started' || hold === 'held' ? 'lost' : hold;
  const hasImages = source.hasImages || destination.hasImages;
  if (source.tasks !== 'gone' || source.hold === 'held') {
    const isCopyLost = rules.freezes ? source.tasks === 'running' || !hasImages : isOver(state);
    const isLost = state.isLost || isCopyLost;
    const decision = source.decision === 'commit' && !rules.syncsCommit ? 'none' : source.decision;
    const after = withSource(state, { tasks: 'gone', hold: lost(source.hold), decision });
    addFault('source: loses its power', without('source', { ...after, isLost }));
  } else if (!rules.syncsCommit && source.decision === 'commit') {
    addFault('source: loses its power', without('source', withSource(state, { decision: 'none' })));
  }
  if (destination.copy !== 'none' || lost(destination.hold) !== destination.hold) {
    const isLost = state.isLost || destination.copy === 'running';
    const after = withDestination(state, { copy: 'none', hold: lost(destination.hold) });
    addFault('destination: loses its power', without('destination', { ...after, isLost }));
  }
}

/** The last resort, once nobody is at work: from complete images, in place or on the destination. */
function restoreByHand(state: State, add: Add): void {
  const { source, destination, newest, older } = state;
  const isAlone = newest.at === 'nothing' && older.at === 'nothing';
  const isGone = source.tasks === 'gone' || source.tasks === 'wounded';
  if (!isAlone || !isGone || destination.copy !== 'none' || state.hasRunOn) return;
  // One that is about to be started again is not gone.
  if ([source, destination].some((host) => host.hold !== 'lost' && host.hold !== 'armed' && !hasEnded(host)))
    return;
  const byHand = { ...state, byHand: true };
  if (source.hasImages) add('a person restores it on the source', sourceRestored(byHand, {}), 'hand');
  if (destination.hasImages) {
    const after = withSource(byHand, { tasks: 'gone' });
    add('a person restores it on the destination', destinationRuns(after, {}), 'hand');
  }
}
