export default {
  files: ['test/**/*.ts', '!test/{helpers,fixtures}/**', '!test/**/{helpers,fixtures}/**'],
  extensions: ['ts'],
  timeout: '120s',
  // Two cores: more workers only make the tests that start real peers slower.
  concurrency: 2,
};
