/**
 * What people do wrong: each ends with exit code 1 and two lines, what is wrong and what to do, and nothing that was there
 * before is lost. One case of every kind is a real process, its variants run inside this one.
 */
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { chmod, cp, mkdir, readFile, rename, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { basename, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import test, { type ExecutionContext } from 'ava';
import { createNetworkFolder } from '../../../src/peer/network-folder.ts';
import { verifyHome } from '../../../src/peer/verify-home.ts';
import { toHex } from '../../../src/protocol/hex.ts';
import { computeHeldOutHash } from '../../../src/trainer/data/starter-corpus.ts';
import { type BuiltChain, buildChain } from '../../helpers/built-chain.ts';
import { RealPeer } from '../../helpers/real-peer.ts';
import { assertTwoLines, hashFiles, runCommand, runInside } from '../../helpers/run-command.ts';
import { createSmallNetwork } from '../../helpers/small-network.ts';
import { makeTemporaryFolder } from '../../helpers/temporary-folder.ts';
import { startPeer } from '../network/helpers/networks.ts';

const network = createSmallNetwork(1, [], toHex(computeHeldOutHash()));
const peerId = '12D3KooWBmAwcd4PJNJvfV89HwE48nwkRmAgo8Vy3uQEyNNHBox2';

/** A home with a chain of two rounds, whose only voter it is. */
async function makeHome(t: ExecutionContext): Promise<BuiltChain> {
  return buildChain(network, join(await makeTemporaryFolder(t), 'home'), 2);
}

/** Arguments that go on with the network of a home, to round 3. */
function goOn(home: string, ...more: string[]): string[] {
  return [
    'run',
    '--home',
    home,
    '--threads',
    '1',
    '--until-round',
    '3',
    ...(more.includes('--port') ? [] : ['--port', '0']),
    ...more,
  ];
}

/** Goes on with a home and asserts that it is refused, and that all that was there is there still. */
async function refuse(
  t: ExecutionContext,
  run: typeof runCommand,
  home: string,
  what: RegExp,
  remedy: RegExp,
  ...more: string[]
): Promise<void> {
  const before = await hashFiles(home);
  assertTwoLines(t, await run(goOn(home, ...more)), what, remedy);
  t.deepEqual(await hashFiles(home), before, 'nothing is lost');
}

test('an unknown key of the manifest is named, with the nearest right one', async (t) => {
  const home = join(await makeTemporaryFolder(t), 'home');
  const end = await runCommand(['start', '--home', home, '--set', 'compresor.k=64']);
  assertTwoLines(
    t,
    end,
    /--set compresor\.k=64: expected a key of the manifest, found "compresor\.k"/,
    /^Did you mean compressor\.k\? Valid keys: .*compressor\.topK/,
  );
  t.false(existsSync(join(home, 'networks')), 'no network was founded');
});

test('a value of the wrong kind or out of range is named, with what would be right', async (t) => {
  const home = join(await makeTemporaryFolder(t), 'home');
  const cases: [setting: string, what: RegExp, remedy: RegExp][] = [
    ['compressor.k=many', /compressor\.k=many: expected a number, found "many"/, /--set compressor\.k=256/],
    ['compressor.k=5000', /"compressor\.topK": expected .*4096.*, found 5000/, /compressor\.topK/],
    ['model.heads=3', /"model\.heads": expected a divisor of model\.dim = 64, found 3/, /model\.heads/],
  ];
  for (const [setting, what, remedy] of cases) {
    assertTwoLines(t, await runInside(['start', '--home', home, '--preset', 'nano', '--set', setting]), what, remedy);
  }
  t.false(existsSync(join(home, 'networks')));
});

test('an unknown key of the configuration file is named', async (t) => {
  const { home } = await makeHome(t);
  await writeFile(join(home, 'config.toml'), 'prot = 4731\n');
  await refuse(t, runInside, home, /config\.toml: "prot": expected .*port.*, found/, /Valid keys: .*port/);
});

test('text that is not there is named', async (t) => {
  const { home } = await makeHome(t);
  await refuse(
    t,
    runCommand,
    home,
    /Cannot read text from \/nowhere: there is no such file or folder/,
    /\.txt, \.md, \.jsonl or \.parquet/,
    '--data',
    '/nowhere',
  );
});

test('an empty file, and a folder without text, are named', async (t) => {
  const { home } = await makeHome(t);
  const folder = join(home, '..', 'text');
  await mkdir(folder);
  await refuse(
    t,
    runInside,
    home,
    /There is no text in .*\/text/,
    /\.txt, \.md, \.jsonl or \.parquet/,
    '--data',
    folder,
  );
  const file = join(folder, 'empty.txt');
  await writeFile(file, '');
  await refuse(
    t,
    runCommand,
    home,
    /There is no text in .*empty\.txt/,
    /\.txt, \.md, \.jsonl or \.parquet/,
    '--data',
    file,
  );
});

test('a port that is taken is named when it was asked for', async (t) => {
  const { home } = await makeHome(t);
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  const { port } = server.address() as AddressInfo;
  const what = new RegExp(`Port ${port} on 127\\.0\\.0\\.1 is taken`);
  await refuse(t, runCommand, home, what, /--port/, '--port', String(port));
});

test('a home that cannot be written to is named, wherever it comes from', async (t) => {
  const file = join(await makeTemporaryFolder(t), 'file');
  await writeFile(file, 'a file where a folder belongs');
  const what = /The folder \S+ cannot be written to \((EEXIST|ENOTDIR)\)/;
  const remedy = /right to write there.* --home/;
  for (const home of [file, join(file, 'home')]) {
    assertTwoLines(t, await runInside(['start', '--home', home]), what, remedy);
    assertTwoLines(t, await runInside(['start'], { TAPESTRY_HOME: home }), what, remedy);
  }
  assertTwoLines(t, await runCommand(['start'], { HOME: '/dev/null/x' }), what, remedy);
  assertTwoLines(t, await runInside(['testnet', 'up', '--preset', 'nano', '--dir', file]), what, remedy);
  t.is(await readFile(file, 'utf8'), 'a file where a folder belongs');
});

test('a folder whose manifest is of another network is refused', async (t) => {
  const { home, folder } = await makeHome(t);
  const other = await createNetworkFolder(join(home, '..', 'other'), createSmallNetwork(3).manifest);
  await cp(join(other.path, 'manifest.cbor'), join(folder, 'manifest.cbor'));
  const [right, wrong] = [network.networkId.slice(0, 16), other.networkId.slice(0, 16)];
  const what = new RegExp(`manifest\\.cbor: expected the manifest of network ${right}…, found that of ${wrong}…`);
  await refuse(t, runCommand, home, what, /manifest/);
  const link = `tapestry:${network.networkId}@/ip4/127.0.0.1/tcp/1/p2p/${peerId}`;
  assertTwoLines(t, await runInside(['join', link, '--home', home, '--port', '0']), what, /manifest/);
});

test('a damaged manifest is refused, and so is a network that is not there', async (t) => {
  const { home, folder } = await makeHome(t);
  const absent = '0123456789abcdef';
  await refuse(
    t,
    runInside,
    home,
    new RegExp(`${absent}: expected the folder of a network`),
    /join/,
    '--network',
    absent,
  );
  await truncate(join(folder, 'manifest.cbor'), 50);
  await refuse(
    t,
    runInside,
    home,
    /manifest\.cbor: expected a manifest, found bytes refused for "/,
    /Restore the file/,
  );
});

test('a link to a peer of another network, to nobody, or of another form is refused', async (t) => {
  const home = join(await makeTemporaryFolder(t), 'home');
  const other = await startPeer(t, 20);
  const id = network.networkId;
  const cases: [link: string, what: RegExp, remedy: RegExp][] = [
    ['nonsense', /the link: expected tapestry:<network id>@<address>, found "nonsense"/, /Copy the whole line/],
    ['tapestry:ab@/ip4/127.0.0.1', /expected a network id of 64 lower-case hex digits, found "ab"/, /Copy/],
    [`tapestry:${id}@/ip4/127.0.0.1/tcp/1`, /expected addresses like .*, found "\/ip4/, /Copy/],
    [`tapestry:${id}@`, /expected addresses like .*, found ""/, /Copy/],
    [`tapestry:${id}@/ip4/127.0.0.1/tcp/1/p2p/${peerId}`, /No peer in the link gave .*ECONNREFUSED/, /running/],
    [`tapestry:${id}@${other.address}`, /No peer in the link gave .*network/, /running/],
  ];
  const ends = await Promise.all(
    cases.map(([link], index) => (index === 0 ? runCommand : runInside)(['join', link, '--home', home, '--port', '0'])),
  );
  for (const [index, [, what, remedy]] of cases.entries()) assertTwoLines(t, ends[index]!, what, remedy);
  t.false(existsSync(join(home, 'networks')), 'nothing was joined');
});

test('a database that is not one is refused and left alone', async (t) => {
  const { home, folder } = await makeHome(t);
  const path = join(folder, 'peer.sqlite');
  const noise = Buffer.alloc((await stat(path)).size, 'noise');
  const sound = await readFile(path);
  await writeFile(path, noise);
  const what = /The database \S+peer\.sqlite is damaged: /;
  await refuse(t, runCommand, home, what, /^Restore it from a backup.* move the whole network folder aside/);
  // One page that no start reads.
  await writeFile(path, sound);
  const database = new DatabaseSync(path, { readOnly: true });
  const { rootpage } = database.prepare("SELECT rootpage FROM sqlite_master WHERE name = 'evidence'").get()!;
  database.close();
  const spoiled = Buffer.from(sound);
  noise.copy(spoiled, (Number(rootpage) - 1) * 4096, 0, 4096);
  await writeFile(path, spoiled);
  await refuse(t, runInside, home, what, /^Restore it from a backup.* move the whole network folder aside/);
});

// A file of no bytes is a fresh database to SQLite: the chain and what was signed would be forgotten without a word.
test('a database that was emptied or is gone is refused, and nothing is made in its place', async (t) => {
  const { home, folder } = await makeHome(t);
  await truncate(join(folder, 'peer.sqlite'), 0);
  await refuse(
    t,
    runInside,
    home,
    /peer\.sqlite: expected the database of a peer that has run.* an empty file/,
    /aside/,
  );
  await rm(join(folder, 'peer.sqlite'));
  await refuse(t, runInside, home, /peer\.sqlite: expected the database of a peer that has run.* none/, /aside/);
});

test('another identity than the one that the folder belongs to is refused', async (t) => {
  const { home } = await makeHome(t);
  await writeFile(join(home, 'identity.seed'), Buffer.alloc(32, 77), { mode: 0o600 });
  await refuse(t, runInside, home, /identity\.seed: expected the seed of key .*, found that of/, /Put the old seed/);
});

test('an edited or unknown line in the text of the manifest is refused: a manifest never changes', async (t) => {
  const { home, folder } = await makeHome(t);
  const file = join(folder, 'manifest.toml');
  const text = await readFile(file, 'utf8');
  await writeFile(file, text.replace('[outer]', '[outer]\nmomentum = 0.9'));
  await refuse(t, runCommand, home, /manifest\.toml: "outer\.momentum": expected .*, found/, /Correct or remove/);
  await writeFile(file, text.replace(/^learningRate = \S+/m, 'learningRate = 0.123'));
  await refuse(t, runInside, home, /expected the text of manifest .*, found that of/, /undo the edit/);
});

test('a chain with a damaged row is refused, with its round', async (t) => {
  const { home, folder } = await makeHome(t);
  const database = new DatabaseSync(join(folder, 'peer.sqlite'));
  database.exec('UPDATE certified SET value = zeroblob(100) WHERE round = 2; PRAGMA wal_checkpoint(TRUNCATE)');
  database.close();
  await refuse(t, runInside, home, /The stored value of round 2 does not follow/, /^Move the network folder aside/);
});

test('a database of a newer version is refused', async (t) => {
  const { home, folder } = await makeHome(t);
  const database = new DatabaseSync(join(folder, 'peer.sqlite'));
  database.exec('PRAGMA user_version = 99; PRAGMA wal_checkpoint(TRUNCATE)');
  database.close();
  await refuse(t, runInside, home, /peer\.sqlite has schema 99, this version knows \d+/, /newer version/);
});

test('a base that was cut off is set aside and made again, at the latest by the next start', async (t) => {
  const { home, folder, state } = await makeHome(t);
  const path = join(folder, 'blobs', state.base);
  await truncate(path, 1000);
  const first = await runCommand(goOn(home));
  if (first.code !== 0) {
    assertTwoLines(
      t,
      first,
      /The file \S+ is damaged: expected root .* found .* in 1000 bytes/,
      /moved to \S+\.corrupt/,
    );
    t.is((await runCommand(goOn(home))).code, 0);
  }
  t.is((await stat(`${path}.corrupt`)).size, 1000, 'what was found is kept');
  const verdict = await verifyHome(folder);
  t.like(verdict, { valid: true, rounds: 3, recomputedRounds: 3 });
  t.is(verdict.rootsByRound[1], state.base);
});

test('a seed file that is damaged or open to others is refused and left alone', async (t) => {
  const { home } = await makeHome(t);
  const path = join(home, 'identity.seed');
  if (process.platform !== 'win32') {
    await chmod(path, 0o644);
    await refuse(
      t,
      runInside,
      home,
      /Others on this machine can read the seed file \S+: its mode is 644, expected 600/,
      /chmod 600/,
    );
    await chmod(path, 0o600);
  }
  await truncate(path, 31);
  await refuse(
    t,
    runCommand,
    home,
    /identity\.seed is not a seed file: a file of 32 bytes expected, 31 bytes found/,
    /copy/,
  );
  await rm(path);
  await mkdir(path);
  await refuse(
    t,
    runInside,
    home,
    /identity\.seed is not a seed file: a file of 32 bytes expected, something else found/,
    /copy/,
  );
});

test('two peers are refused as a wrong usage, with the reason', async (t) => {
  const { code, err } = await runCommand(['testnet', 'up', '--peers', '2']);
  t.is(code, 2);
  t.regex(
    err,
    /--peers <number>' argument '2' is invalid\. Two peers would stop when one of them does: choose 1, or 3/,
  );
  t.is(err.trim().split('\n').length, 2);
});

test('folders that cannot be verified are refused', async (t) => {
  const empty = await makeTemporaryFolder(t);
  const end = await runInside(['verify', empty]);
  assertTwoLines(t, end, /expected at least one network, found none/, /--home|another folder/);
  const { folder } = await makeHome(t);
  const without = join(empty, basename(folder));
  await rename(folder, without);
  await rm(join(without, 'peer.sqlite'));
  assertTwoLines(t, await runInside(['verify', without]), /There is no database at \S+peer\.sqlite/, /home of a peer/);
});

test('a second process in one home is refused, and the first goes on', async (t) => {
  const { home } = await makeHome(t);
  const first = new RealPeer({ args: ['run', '--home', home, '--threads', '1', '--port', '0', '--json'] });
  t.teardown(() => first.kill());
  await first.waitFor('its start', ({ event }) => event === 'peer.started');
  assertTwoLines(t, await runCommand(goOn(home)), /Another process \(pid \d+\) is using \S+/, /tapestry-peer stop/);
  const { round } = first;
  await first.waitForRound(Math.max(round, 2) + 1);
  await first.stop();
  t.deepEqual(await first.ended, { code: 0, signal: null });
});
