export default {
  files: ['test/**/*.ts', '!test/{helpers,fixtures}/**', '!test/**/{helpers,fixtures}/**'],
  extensions: ['ts'],
  timeout: '120s',
  // See src/trainer/disable-telemetry.ts: also for tests that load the runtime by themselves.
  environmentVariables: { ORT_DISABLE_TELEMETRY: '1' },
  // Two cores: more workers only make the tests that start real peers slower.
  concurrency: 2,
};
