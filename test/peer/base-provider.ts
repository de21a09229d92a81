import { existsSync } from 'node:fs';
import { readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import test, { type ExecutionContext } from 'ava';
import { BaseKeeper, viewBytes } from '../../src/peer/base-keeper.ts';
import { BaseProvider } from '../../src/peer/base-provider.ts';
import { ChainKeeper } from '../../src/peer/chain-keeper.ts';
import type { UntimedEvent } from '../../src/peer/peer.ts';
import { BlobExchange } from '../../src/peer/storage/blob-exchange.ts';
import { BlobStore } from '../../src/peer/storage/blob-store.ts';
import { SqliteStore } from '../../src/peer/storage/sqlite-store.ts';
import type { CertifiedEntry } from '../../src/peer/storage/store.ts';
import { fromHex, toHex } from '../../src/protocol/hex.ts';
import { computeInitialBase } from '../../src/protocol/initial-base.ts';
import { computeMerkleRoot } from '../../src/protocol/merkle.ts';
import { createFastVerifier } from '../../src/protocol/signature.ts';
import { type BuiltChain, buildChain, type Lie } from '../helpers/built-chain.ts';
import { MemoryHub } from '../helpers/memory-network.ts';
import { createSmallNetwork } from '../helpers/small-network.ts';
import { makeTemporaryFolder } from '../helpers/temporary-folder.ts';

const network = createSmallNetwork(3);
const { manifest, rules, shape } = network;
const verifier = createFastVerifier();
const never = new AbortController().signal;

interface Bench {
  readonly built: BuiltChain;
  readonly provider: BaseProvider;
  readonly bases: BaseKeeper;
  readonly chain: ChainKeeper;
  readonly blobs: BlobStore;
  readonly events: UntimedEvent[];
  readonly pokes: () => number;
  /** takes in the rest of the chain */
  readonly grow: () => void;
  /** blobs of the only other peer */
  readonly theirs: BlobStore;
  readonly blob: (root: string) => string;
}

/** A store that shows the first rounds of its chain only. */
class ShortStore extends SqliteStore {
  length = 0;

  override getCertified(round: number): CertifiedEntry | null {
    return round > this.length ? null : super.getCertified(round);
  }

  override certifiedRange(first: number, count: number): CertifiedEntry[] {
    return super.certifiedRange(first, count).filter(({ round }) => round <= this.length);
  }
}

/** A peer that has just started in a home whose chain is `rounds` long; `spoil` works on the home before. */
async function createBench(
  t: ExecutionContext,
  rounds: number,
  options: {
    readonly lie?: Lie;
    /** rounds that are known at first; all when not given */
    readonly length?: number;
    /** root of a base that is kept although it is old */
    readonly kept?: string;
    readonly spoil?: (built: BuiltChain, blob: (root: string) => string) => Promise<unknown>;
  } = {},
): Promise<Bench> {
  const home = join(await makeTemporaryFolder(t), 'home');
  const built = await buildChain(network, home, rounds, options.lie === undefined ? {} : { lie: options.lie });
  const blob = (root: string): string => join(built.folder, 'blobs', root);
  await options.spoil?.(built, blob);
  const store = new ShortStore(join(built.folder, 'peer.sqlite'));
  store.length = options.length ?? rounds;
  t.teardown(() => store.close());
  const blobs = new BlobStore(join(built.folder, 'blobs'));
  const bases = new BaseKeeper({ blobs, shape, outer: manifest.outer });
  const genesis = bases.hold(computeInitialBase(manifest.model, fromHex(manifest.seed)));
  const chain = new ChainKeeper({ store, rules, verifier, onAdvance: () => undefined }, genesis);
  chain.load(() => undefined);
  const hub = new MemoryHub();
  const gossip = hub.join('self');
  const theirs = new BlobStore(await makeTemporaryFolder(t));
  new BlobExchange({ network: hub.join('other'), blobs: theirs });
  const events: UntimedEvent[] = [];
  let pokes = 0;
  const provider = new BaseProvider({
    chain,
    bases,
    blobs,
    exchange: new BlobExchange({ network: gossip, blobs }),
    network: gossip as never,
    store,
    rules,
    shape,
    verifier,
    retention: { keepsBase: (_round, root) => root === options.kept, noteBodies: () => undefined },
    emit: (event) => events.push(event),
    poke: () => pokes++,
  });
  const grow = (): void => {
    store.length = rounds;
    chain.load(() => undefined);
  };
  return { built, provider, bases, chain, blobs, events, pokes: () => pokes, grow, theirs, blob };
}

/** The values of a base that is on the disk. */
async function readBase(path: string): Promise<Uint8Array> {
  return new Uint8Array(await readFile(path));
}

/** Loses a message, though a value names it. */
function forget({ folder }: BuiltChain, hash: string): void {
  const database = new DatabaseSync(join(folder, 'peer.sqlite'), { enableForeignKeyConstraints: false });
  database.prepare('DELETE FROM messages WHERE hash = ?').run(fromHex(hash));
  database.close();
}

function isInUse({ bases, chain }: Bench): boolean {
  return bases.holds(chain.state.base) && existsSync(bases.pathOf(chain.state.base));
}

test('the first base is computed here and written down', async (t) => {
  const bench = await createBench(t, 0, { spoil: ({ state }, blob) => rm(blob(state.base)) });
  t.true(await bench.provider.provide(never));
  t.true(isInUse(bench));
  t.deepEqual(bench.events, []);
});

test('a base that is on the disk is read from there', async (t) => {
  const bench = await createBench(t, 2);
  t.true(await bench.provider.provide(never));
  t.true(isInUse(bench));
  t.deepEqual(bench.events, []);
});

test('a base that was computed a moment ago is written down', async (t) => {
  const bench = await createBench(t, 1);
  const values = new Float32Array((await readBase(bench.blob(bench.chain.state.base))).buffer);
  await rm(bench.blob(bench.chain.state.base));
  bench.bases.hold(values);
  t.true(await bench.provider.provide(never));
  t.true(isInUse(bench));
});

test('a lost base is computed again from the one before it and the bodies', async (t) => {
  const bench = await createBench(t, 3, { spoil: ({ state }, blob) => rm(blob(state.base)) });
  t.true(await bench.provider.provide(never));
  t.true(isInUse(bench));
  t.deepEqual(bench.events, []);
  t.is(toHex(computeMerkleRoot(await readBase(bench.blob(bench.chain.state.base)))), bench.chain.state.base);
});

test('a lost base is computed again with a body that another peer still has', async (t) => {
  let body: Uint8Array | null = null;
  const bench = await createBench(t, 3, {
    spoil: async ({ state, rounds }, blob) => {
      body = await readBase(blob(rounds[2]!.bodies[1]!));
      await Promise.all([rm(blob(state.base)), rm(blob(rounds[2]!.bodies[1]!))]);
    },
  });
  await bench.theirs.put(body!);
  t.true(await bench.provider.provide(never));
  t.true(isInUse(bench));
  t.deepEqual(bench.events, [], 'the base itself was not needed');
});

test('a lost base is computed again from further back when the one before it is lost too', async (t) => {
  const bench = await createBench(t, 3, {
    spoil: ({ rounds, state }, blob) => Promise.all([rm(blob(state.base)), rm(blob(rounds[2]!.value.base))]),
  });
  t.true(await bench.provider.provide(never));
  t.true(isInUse(bench));
  t.deepEqual(bench.events, []);
});

const missing: Record<string, (built: BuiltChain, blob: (root: string) => string) => Promise<unknown>> = {
  'a body': ({ rounds }, blob) => rm(blob(rounds[2]!.bodies[1]!)),
  'a contribution': async (built) => forget(built, built.rounds[2]!.contributions[0]!.hash),
};

for (const [name, lose] of Object.entries(missing)) {
  test(`a lost base is downloaded when ${name} is lost too`, async (t) => {
    let bytes: Uint8Array | null = null;
    const bench = await createBench(t, 3, {
      spoil: async (built, blob) => {
        bytes = await readBase(blob(built.state.base));
        await rm(blob(built.state.base));
        await lose(built, blob);
      },
    });
    await bench.theirs.put(bytes!);
    t.true(await bench.provider.provide(never));
    t.true(isInUse(bench));
    const facts = { round: 4, root: bench.chain.state.base };
    t.deepEqual(bench.events, [
      { event: 'base.awaited', ...facts },
      { event: 'base.fetched', ...facts },
    ]);
  });
}

test('a base that nobody has is tried again later, and the others are asked where the chain stands', async (t) => {
  const bench = await createBench(t, 3, {
    spoil: async ({ rounds, state }, blob) => {
      await rm(blob(state.base));
      await rm(blob(rounds[2]!.bodies[0]!));
    },
  });
  t.false(await bench.provider.provide(AbortSignal.abort()));
  t.false(await bench.provider.provide(AbortSignal.abort()));
  t.is(bench.pokes(), 2);
  t.deepEqual(bench.events, [{ event: 'base.awaited', round: 4, root: bench.chain.state.base }], 'told once');
  t.false(bench.bases.holds(bench.chain.state.base));
});

test('a certified base that does not follow from its bodies is reported, and what was certified is downloaded', async (t) => {
  const certified = viewBytes(new Float32Array(shape.length).fill(0.5));
  const root = toHex(computeMerkleRoot(certified));
  const lie = { round: 2, change: (value: BuiltChain['rounds'][0]['value']) => ({ ...value, next: root }) };
  const bench = await createBench(t, 2, { lie });
  await bench.theirs.put(certified);
  t.is(bench.chain.state.base, root);
  t.true(await bench.provider.provide(never));
  t.true(isInUse(bench));
  const [differed, , fetched] = bench.events;
  t.like(differed, { event: 'base.differed', round: 2, expected: root });
  t.not(differed!.actual, root);
  t.deepEqual(fetched, { event: 'base.fetched', round: 3, root });
});

test('the base in use and three before it stay on the disk for others, the one before these goes', async (t) => {
  const bench = await createBench(t, 7);
  const roots = [...bench.built.rounds.map(({ value }) => value.base), bench.chain.state.base];
  t.is(new Set(roots).size, 8);
  t.true(roots.every((root) => bench.blobs.has(root)));
  await bench.provider.provide(never);
  t.deepEqual(
    roots.filter((root) => !bench.blobs.has(root)),
    [bench.chain.getValue(4)!.base],
  );
});

test('an old base stays if it is kept, whatever else could be computed again', async (t) => {
  const measured = await createBench(t, 7);
  const kept = measured.chain.getValue(4)!.base;
  const bench = await createBench(t, 7, { kept });
  await bench.provider.provide(never);
  t.true(bench.blobs.has(kept));
});

test('a chain that grew by several rounds at once leaves no old base behind', async (t) => {
  const bench = await createBench(t, 9, { length: 6 });
  const roots = bench.built.rounds.map(({ value }) => value.base);
  await bench.provider.provide(never);
  bench.grow();
  t.is(bench.chain.state.round, 10);
  await bench.provider.provide(never);
  t.deepEqual(
    roots.filter((root) => !bench.blobs.has(root)),
    roots.slice(2, 6),
    'those of rounds 3 to 6; the first two were there before',
  );
});

test('a base that cannot be computed again stays: what follows it can only be verified from there', async (t) => {
  for (const lose of [
    ({ rounds }: BuiltChain, blob: (root: string) => string) => rm(blob(rounds[2]!.bodies[0]!)),
    async (built: BuiltChain) => forget(built, built.rounds[2]!.value.evidence[0]!.vote),
    async (built: BuiltChain) => forget(built, built.rounds[2]!.contributions[0]!.hash),
  ]) {
    const bench = await createBench(t, 7, { spoil: lose });
    await bench.provider.provide(never);
    t.true(bench.blobs.has(bench.chain.getValue(4)!.base));
  }
});

for (const [name, damage] of Object.entries({
  'was cut off': (path: string) => truncate(path, 1000),
  'has a flipped byte': async (path: string) => {
    await writeFile(
      path,
      (await readBase(path)).map((byte, at) => (at === 77 ? byte ^ 1 : byte)),
    );
  },
})) {
  test(`a base whose file ${name} is set aside and computed again`, async (t) => {
    const bench = await createBench(t, 3, { spoil: ({ state }, blob) => damage(blob(state.base)) });
    t.true(await bench.provider.provide(never));
    t.true(isInUse(bench));
    t.true(existsSync(`${bench.blob(bench.chain.state.base)}.corrupt`));
  });

  test(`a base whose file ${name} is set aside and downloaded`, async (t) => {
    let bytes: Uint8Array | null = null;
    const bench = await createBench(t, 3, {
      spoil: async ({ state, rounds }, blob) => {
        bytes = await readBase(blob(state.base));
        await damage(blob(state.base));
        await rm(blob(rounds[2]!.bodies[0]!));
      },
    });
    await bench.theirs.put(bytes!);
    t.true(await bench.provider.provide(never));
    t.true(isInUse(bench));
  });
}

test('a lost base is downloaded when a body is damaged', async (t) => {
  let bytes: Uint8Array | null = null;
  const bench = await createBench(t, 3, {
    spoil: async ({ state, rounds }, blob) => {
      bytes = await readBase(blob(state.base));
      await rm(blob(state.base));
      await truncate(blob(rounds[2]!.bodies[0]!), 5);
    },
  });
  await bench.theirs.put(bytes!);
  t.true(await bench.provider.provide(never));
  t.true(isInUse(bench));
});
