import test from 'ava';
import { runProgram } from '../../../src/cli/program.ts';
import { createCaughtContext } from '../../helpers/fake-modules.ts';
import { makeTemporaryFolder } from '../../helpers/temporary-folder.ts';

test('every value is printed with where it came from', async (t) => {
  const home = await makeTemporaryFolder(t);
  const context = createCaughtContext({}, undefined, { TAPESTRY_HOST: '0.0.0.0' });
  t.is(await runProgram(['config', '--home', home, '--port', '5000'], context), 0);
  t.regex(context.out(), /^port +5000 +flag: --port /m);
  t.regex(context.out(), /^host +"0\.0\.0\.0" +environment: TAPESTRY_HOST /m);
  t.regex(context.out(), /^threads +2 +default /m);
});

test('the same as JSON', async (t) => {
  const home = await makeTemporaryFolder(t);
  const context = createCaughtContext();
  t.is(await runProgram(['config', '--home', home, '--json'], context), 0);
  const config = JSON.parse(context.out());
  t.deepEqual(config.home, { value: home, origin: 'flag', from: '--home' });
  t.like(config.port, { value: 4731, origin: 'default' });
});
