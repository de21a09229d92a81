/** The main job as a person runs it: four real processes, one document, and an offline check of what they left behind. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import test from 'ava';
import { makeTemporaryFolder } from '../../helpers/temporary-folder.ts';

interface Document {
  readonly rounds: number;
  readonly rootsAgree: boolean;
  readonly parameters: number;
  readonly bodyBytesPerParameter: number;
  readonly roundOverhead: number;
  readonly peers: readonly {
    readonly id: string;
    readonly home: string;
    readonly rounds: number;
    readonly root: string;
    readonly heldOutLoss: { readonly first: number; readonly last: number };
    readonly heldOutLossPerKind: Readonly<Record<string, number>>;
    readonly bytesSent: number;
    readonly bytesReceived: number;
    readonly contributions: { readonly included: number; readonly rejected: number };
  }[];
}

const launcher = join(import.meta.dirname, '../../../bin/tapestry-peer.js');

/** Runs a command to its end. */
async function run(args: readonly string[]): Promise<{ code: number | null; last: unknown; errors: string }> {
  const child = spawn(process.execPath, [launcher, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  let errors = '';
  child.stdout.on('data', (text: Buffer) => {
    output += text.toString();
  });
  child.stderr.on('data', (text: Buffer) => {
    errors += text.toString();
  });
  const [code] = await once(child, 'close');
  const line = output.trimEnd().split('\n').at(-1) ?? '';
  return { code: code as number | null, last: line.startsWith('{') ? JSON.parse(line) : line, errors };
}

test('four peers train together, end on one root, and their folders verify', async (t) => {
  t.timeout(120_000);
  const folder = join(await makeTemporaryFolder(t), 'net');
  const options = ['--peers', '4', '--rounds', '3', '--preset', 'nano', '--dir', folder, '--seed', '7', '--json'];
  const { code, last, errors } = await run(['testnet', 'up', ...options, '--set', 'inner.steps=4']);
  t.is(code, 0, errors);
  const document = last as Document;
  t.true(document.rootsAgree);
  t.is(document.rounds, 3);
  t.is(document.parameters, 213_568);
  t.true(document.bodyBytesPerParameter < 0.066);
  t.true(document.roundOverhead > 0 && document.roundOverhead < 1);
  t.is(document.peers.length, 4);
  for (const peer of document.peers) {
    t.is(peer.root, document.peers[0]!.root);
    t.is(peer.rounds, 3);
    t.true(peer.heldOutLoss.last < peer.heldOutLoss.first);
    t.deepEqual(Object.keys(peer.heldOutLossPerKind).sort(), ['dts', 'js', 'libp2p-js', 'md']);
    t.deepEqual(peer.contributions, { included: 3, rejected: 0 });
    // Bodies of three others, three rounds: at least that much came in over the sockets.
    t.true(peer.bytesReceived > 9 * document.bodyBytesPerParameter * document.parameters);
  }
  const sent = document.peers.reduce((sum, { bytesSent }) => sum + bytesSent, 0);
  const received = document.peers.reduce((sum, { bytesReceived }) => sum + bytesReceived, 0);
  t.true(Math.abs(sent - received) < 0.02 * sent, `${sent} sent, ${received} received`);

  const verified = await run(['verify', ...document.peers.map(({ home }) => home), '--json']);
  t.is(verified.code, 0, verified.errors);
  const verdict = verified.last as { valid: boolean; rootsAgree: boolean; rounds: number };
  t.like(verdict, { valid: true, rootsAgree: true, rounds: 3 });
});
