/**
 * Which processor trains: the names people give it, and the choice between them. Nothing is loaded here; whether CUDA
 * works is found out by `probe-cuda.ts`. spec/devices.md#choice
 */
import { TapestryError } from '../protocol/errors.ts';
import type { CudaProbe } from './probe-cuda.ts';

/** Where sessions run. `index` counts the GPUs that CUDA shows this process, from 0. */
export type Device = { readonly kind: 'cpu' } | { readonly kind: 'cuda'; readonly index: number };

/** What was asked for: a device, or the best there is. */
export type DeviceWish = Device | { readonly kind: 'auto' };

/** A device and why it is this one, in words for people. */
export interface DeviceChoice {
  readonly device: Device;
  readonly reason: string;
}

/** The texts that `parseDevice` accepts. */
export const devicePattern: RegExp = /^(?:auto|cpu|cuda(?::\d{1,2})?)$/;

/** What to write instead of a text that is no device. */
export const deviceExpectation = '"auto", "cpu", "cuda" or "cuda:N" with N from 0 to 99';

/**
 * Reads `auto`, `cpu`, `cuda` (the first GPU) or `cuda:N`.
 * @throws {TapestryError} `device-unknown`
 */
export function parseDevice(text: string): DeviceWish {
  if (!devicePattern.test(text)) {
    throw new TapestryError(
      'device-unknown',
      `device: expected ${deviceExpectation}, found ${JSON.stringify(text.slice(0, 60))}`,
      'Choose one of these with --device, TAPESTRY_DEVICE or the key device of config.toml.',
      { text },
    );
  }
  if (text === 'auto' || text === 'cpu') {
    return { kind: text };
  }
  return { kind: 'cuda', index: Number(text.split(':')[1] ?? 0) };
}

/** `cpu` or `cuda:N`; `parseDevice` reads it again. */
export function formatDevice(device: Device): string {
  return device.kind === 'cpu' ? 'cpu' : `cuda:${device.index}`;
}

/**
 * Settles on a device. `auto` is the first GPU where CUDA works, else the CPU, and says why; a GPU that was asked for by
 * name and cannot be used is an error and never the CPU.
 * @param probe tries the GPU of this index; not called for `cpu`
 * @throws {TapestryError} `cuda-unusable`, with what is missing and what to do
 */
export async function chooseDevice(
  wish: DeviceWish,
  probe: (index: number) => Promise<CudaProbe>,
): Promise<DeviceChoice> {
  if (wish.kind === 'cpu') {
    return { device: wish, reason: 'asked for' };
  }
  const index = wish.kind === 'cuda' ? wish.index : 0;
  const device = { kind: 'cuda', index } as const;
  const { problem } = await probe(index);
  if (problem === null) {
    return { device, reason: wish.kind === 'auto' ? 'CUDA works here' : 'asked for, and CUDA works here' };
  }
  if (wish.kind === 'auto') {
    return { device: { kind: 'cpu' }, reason: `CUDA cannot be used: ${problem.message}` };
  }
  throw new TapestryError(
    'cuda-unusable',
    `${formatDevice(device)}: ${problem.message}`,
    `${problem.remedy} Or train on the CPU with --device cpu.`,
    { device: formatDevice(device), problem: problem.kind, library: problem.library },
  );
}
