/** From the text of a device to one that can be used, the same for every command that computes. spec/devices.md#choice */
import { chooseDevice, type DeviceChoice, formatDevice, parseDevice } from '../trainer/device.ts';
import type { CliContext } from './cli-context.ts';

/**
 * The device that this text means here.
 * @throws {TapestryError} `cuda-unusable` if a GPU was asked for by name; `device-unknown`
 */
export function resolveDevice(context: CliContext, text: string): Promise<DeviceChoice> {
  return chooseDevice(parseDevice(text), (index) => context.modules.probeCuda(index));
}

/** One line for people: what trains, and why. */
export function describeDevice({ device, reason }: DeviceChoice): string {
  return `device  ${formatDevice(device)} (${reason})`;
}
