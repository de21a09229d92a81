import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { ChainKeeper } from '../../src/peer/chain-keeper.ts';
import { RetentionKeeper, recentBases } from '../../src/peer/retention-keeper.ts';
import { BlobStore } from '../../src/peer/storage/blob-store.ts';
import { SqliteStore } from '../../src/peer/storage/sqlite-store.ts';
import { verifyHome } from '../../src/peer/verify-home.ts';
import { computeBodyLength } from '../../src/protocol/compressor/index.ts';
import { createFastVerifier } from '../../src/protocol/signature.ts';
import { type BuiltChain, buildChain } from '../helpers/built-chain.ts';
import { createSmallNetwork } from '../helpers/small-network.ts';
import { makeTemporaryFolder } from '../helpers/temporary-folder.ts';

const network = createSmallNetwork(3);
const { rules, shape, manifest } = network;
const rounds = 24;
const baseBytes = shape.length * 4;
const bodyBytes = computeBodyLength(shape.length, shape);
/** Rounds whose bases are on the disk, besides the recent ones. */
const segments = [9, 15];
const never = new AbortController().signal;
let built: BuiltChain;

test.before(async () => {
  built = await buildChain(network, await mkdtemp(join(tmpdir(), 'tapestry-test-')), rounds);
  const store = new SqliteStore(join(built.folder, 'peer.sqlite'));
  const blobs = new BlobStore(join(built.folder, 'blobs'));
  for (const { value, bodies } of built.rounds) {
    store.putBodies(value.round, bodies);
    if (value.round <= rounds + 1 - recentBases && !segments.includes(value.round)) blobs.delete(value.base);
  }
  store.close();
});

test.after.always(() => rm(built.home, { recursive: true, force: true }));

/** What goes wrong: the n-th thing that is done to the disk. */
interface Fault {
  left: number;
}

function strike(fault: Fault | undefined): void {
  if (fault !== undefined && fault.left-- <= 0) throw new Error('power cut');
}

class FragileStore extends SqliteStore {
  fault: Fault | undefined;
  override setMeta(...args: Parameters<SqliteStore['setMeta']>): void {
    strike(this.fault);
    super.setMeta(...args);
  }
  override forgetRounds(before: number): void {
    strike(this.fault);
    super.forgetRounds(before);
  }
}

class FragileBlobs extends BlobStore {
  fault: Fault | undefined;
  override delete(root: string): void {
    strike(this.fault);
    super.delete(root);
  }
}

interface Bench {
  readonly folder: string;
  readonly store: FragileStore;
  readonly blobs: FragileBlobs;
  readonly keeper: RetentionKeeper;
}

interface BenchOptions {
  readonly keepBytes: number;
  readonly founding?: readonly string[];
  readonly inUse?: readonly string[];
  readonly fault?: Fault;
}

/** A peer that has just started in a folder. */
function open(t: ExecutionContext, folder: string, options: BenchOptions): Bench {
  const store = new FragileStore(join(folder, 'peer.sqlite'));
  store.fault = options.fault;
  t.teardown(() => store.close());
  const blobs = new FragileBlobs(join(folder, 'blobs'));
  blobs.fault = options.fault;
  const chain = new ChainKeeper(
    { store, rules, verifier: createFastVerifier(), onAdvance: () => undefined },
    built.rounds[0]!.value.base,
  );
  const { founding = [], inUse = [], keepBytes } = options;
  const { memory } = manifest.round;
  const bodiesInUse = (): readonly string[] => inUse;
  const parts = { chain, store, blobs, bodyBytes, memory, founding, bodiesInUse };
  const keeper = new RetentionKeeper(parts, { keepBytes, baseBytes });
  chain.load((value) => keeper.learn(value));
  return { folder, store, blobs, keeper };
}

async function copyBuilt(t: ExecutionContext): Promise<string> {
  const home = join(await makeTemporaryFolder(t), 'home');
  await cp(built.home, home, { recursive: true });
  return join(home, 'networks', basename(built.folder));
}

async function createBench(t: ExecutionContext, options: BenchOptions): Promise<Bench> {
  return open(t, await copyBuilt(t), options);
}

/** Bytes of the rounds from `first` on, as the folder has them. */
function weigh(store: SqliteStore, first: number): number {
  const sizes = store.roundSizes(first).filter(({ round }) => round >= first && round <= rounds);
  const old = segments.filter((round) => round >= first).length;
  return sizes.reduce((sum, { bodies, rowBytes }) => sum + bodies * bodyBytes + rowBytes, old * baseBytes);
}

const baseOf = (round: number): string => built.rounds[round - 1]!.value.base;
const bodiesOf = (round: number): readonly string[] => built.rounds[round - 1]!.bodies;

test('what fits stays', async (t) => {
  const { keeper, store, folder, blobs } = await createBench(t, { keepBytes: 1e9 });
  const before = blobs.list();
  await keeper.tidy(never);
  t.is(keeper.keptFrom, 1);
  t.deepEqual(blobs.list(), before);
  store.close();
  t.like(await verifyHome(folder), { valid: true, rounds, recomputedRounds: rounds });
});

test('the oldest segment goes as a whole, and everything after it is recomputed from its base', async (t) => {
  const measured = await createBench(t, { keepBytes: 1e9 });
  const { keeper, store, folder, blobs } = await createBench(t, { keepBytes: weigh(measured.store, 9) });
  await keeper.tidy(never);
  t.is(keeper.keptFrom, 9);
  for (let round = 1; round <= rounds; round++) {
    t.is(
      bodiesOf(round).some((root) => blobs.has(root)),
      round >= 9,
      `bodies of round ${round}`,
    );
    t.is(store.evidenceMessages(round).length > 0, round >= 9, `messages of round ${round}`);
    t.not(store.getCertified(round), null);
  }
  t.true(blobs.has(baseOf(9)) && blobs.has(baseOf(15)));
  store.close();
  t.like(await verifyHome(folder), { valid: true, rounds, recomputedRounds: rounds - 8, root: built.state.base });
});

test('with room for nothing the last rounds stay, and the messages that others may ask for', async (t) => {
  const { keeper, store, folder, blobs } = await createBench(t, { keepBytes: 0 });
  await keeper.tidy(never);
  const first = rounds + 1 - recentBases + 1;
  t.is(keeper.keptFrom, first);
  t.false(blobs.has(baseOf(9)) || blobs.has(baseOf(15)));
  t.false(bodiesOf(first - 1).some((root) => blobs.has(root)));
  t.true(bodiesOf(first).every((root) => blobs.has(root)));
  t.is(store.evidenceMessages(rounds + 1 - manifest.round.memory - 1).length, 0);
  t.true(store.evidenceMessages(rounds + 1 - manifest.round.memory).length > 0);
  store.close();
  t.like(await verifyHome(folder), { valid: true, rounds, recomputedRounds: rounds - first + 1 });
});

test('what went stays gone after a restart, and is not looked for again', async (t) => {
  const { keeper, store, folder, blobs } = await createBench(t, { keepBytes: 0 });
  await keeper.tidy(never);
  const left = blobs.list();
  store.close();
  const again = open(t, folder, { keepBytes: 1e9 });
  t.is(again.keeper.keptFrom, keeper.keptFrom);
  await again.keeper.tidy(never);
  t.deepEqual(again.blobs.list(), left);
});

test('a body that a later round has too stays, and so does one of the round being played', async (t) => {
  const [shared, played] = [bodiesOf(2)[0]!, bodiesOf(3)[1]!];
  const { keeper, store, blobs } = await createBench(t, { keepBytes: 0, inUse: [played] });
  store.putBodies(rounds, [shared]);
  await keeper.tidy(never);
  t.true(blobs.has(shared));
  t.true(blobs.has(played));
  t.false(blobs.has(bodiesOf(2)[1]!) || blobs.has(bodiesOf(3)[0]!));
});

test('a base is kept when the rounds since the last one weigh enough, and what is kept starts with one', async (t) => {
  for (const keepBytes of [110_000, 1e9]) {
    const folder = await copyBuilt(t);
    await rm(join(folder, 'blobs', baseOf(15)));
    const { keeper, store } = open(t, folder, { keepBytes });
    const enough = Math.max(baseBytes, Math.min(8 * baseBytes, keepBytes / 4));
    await keeper.tidy(never);
    t.is(keeper.keptFrom, 1);
    const sizes = store.roundSizes(9).map(({ bodies, rowBytes }) => bodies * bodyBytes + rowBytes);
    const due = [10, 12, 14, 16, 18, 20, 22, 24].map((round) => {
      const since = sizes.slice(0, round - 9).reduce((sum, size) => sum + size, 0);
      t.is(keeper.keepsBase(round, baseOf(round)), since >= enough, `round ${round} of ${keepBytes}`);
      return since >= enough;
    });
    t.is(due.includes(true), keepBytes < 1e9);
    t.false(due[0]);
    t.false(keeper.keepsBase(1, baseOf(1)), 'the first base follows from the seed');
  }
  const { keeper } = await createBench(t, { keepBytes: 0 });
  await keeper.tidy(never);
  t.true(keeper.keepsBase(keeper.keptFrom, baseOf(keeper.keptFrom)));
});

test('blobs that the manifest names stay, and do not count', async (t) => {
  const { keeper, blobs } = await createBench(t, { keepBytes: 0, founding: [baseOf(9)] });
  await keeper.tidy(never);
  t.true(blobs.has(baseOf(9)));
  t.false(blobs.has(baseOf(15)));
  t.true(keeper.keepsBase(1, baseOf(9)));
});

test('a power cut at any step leaves a folder that holds, and the next start finishes the work', async (t) => {
  const whole = await createBench(t, { keepBytes: 0 });
  await whole.keeper.tidy(never);
  const expected = whole.blobs.list();
  let steps = 0;
  for (let left = 0; ; left += 19) {
    const folder = await copyBuilt(t);
    const broken = open(t, folder, { keepBytes: 0, fault: { left } });
    const error = await broken.keeper.tidy(never).catch((cause: Error) => cause);
    broken.store.close();
    const verdict = await verifyHome(folder);
    t.like(verdict, { valid: true, rounds, root: built.state.base }, `after ${left} steps`);
    t.true(verdict.recomputedRounds >= recentBases - 1);
    const next = open(t, folder, { keepBytes: 0 });
    await next.keeper.tidy(never);
    t.deepEqual(next.blobs.list(), expected, `after ${left} steps`);
    t.is(next.store.evidenceMessages(1).length, 0);
    next.store.close();
    if (error === undefined) break;
    steps++;
  }
  t.true(steps > 2, `${steps} power cuts`);
});

test('stops between two files when the peer stops', async (t) => {
  const { keeper, blobs } = await createBench(t, { keepBytes: 0 });
  await keeper.tidy(AbortSignal.abort());
  t.is(keeper.keptFrom, 1);
  t.true(blobs.has(built.state.base));
});
