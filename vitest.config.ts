import { defineConfig, type ViteUserConfig } from 'vitest/config';

const ON_LABS = {
  // Nothing is timed here: a machine that has more to do takes several times as long.
  testTimeout: 400_000,
  hookTimeout: 400_000,
  // Two cores are the least that a machine has; more labs at once would make each other wait.
  maxWorkers: 2,
  sequence: { groupOrder: 1 },
};

/** Unit tests first: they are quick. End-to-end tests build labs of their own and may run side by side. */
const config: ViteUserConfig = defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: ['test/e2e/**', 'test/recovery/**', 'test/faults/**', 'test/vm/**'],
          testTimeout: 30_000,
          sequence: { groupOrder: 0 },
        },
      },
      // For `npm run faults` only.
      ...(process.env['CRIU_FLOW_FAULTS'] === undefined
        ? []
        : [
            {
              test: { name: 'faults', include: ['test/faults/**/*.test.ts'], testTimeout: 0, hookTimeout: 0 },
            },
          ]),
      { test: { name: 'lab', include: ['test/e2e/**/*.test.ts'], ...ON_LABS } },
      // `npm run test:recovery`: what crashes lead to, which takes longer.
      { test: { name: 'recovery', include: ['test/recovery/**/*.test.ts'], ...ON_LABS } },
      // `npm run test:vm`: what needs kernels of its own. One lab keeps both cores busy.
      { test: { name: 'vm', include: ['test/vm/**/*.test.ts'], ...ON_LABS, maxWorkers: 1 } },
    ],
  },
});
export default config;
