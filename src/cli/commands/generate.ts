/** `tapestry-peer generate --prompt TEXT`: continues a text with a model of this machine, and prints it as it comes. */
import { randomInt } from 'node:crypto';
import { addAbortSignal, type Readable } from 'node:stream';
import { text as readAll } from 'node:stream/consumers';
import { type Command, InvalidArgumentError } from 'commander';
import type { GenerateTextInit, GenerateTextResult } from '../../trainer/generate/generate-text.ts';
import type { Continuation, GenerateEnd } from '../../trainer/generate/generator.ts';
import type { SamplerSettings } from '../../trainer/generate/sampler.ts';
import { type CliContext, exitCodeOf, exitCodes, printJson } from '../cli-context.ts';
import { type Execute, readCount } from '../command-options.ts';
import { addModelOptions, chooseModel, type ModelFlags } from '../model-options.ts';

interface GenerateFlags extends ModelFlags, SamplerSettings {
  readonly prompt: string;
  readonly maxTokens: number;
  readonly seed?: number;
  readonly cache: boolean;
}

/** What `generate --json` prints. */
export interface GenerateReport extends SamplerSettings, GenerateTextResult {
  /** where the model comes from, for people */
  readonly model: string;
  readonly parameters: number;
  readonly prompt: string;
  /** what follows the prompt */
  readonly text: string;
  /** the time for the prompt included */
  readonly tokensPerSecond: number;
  readonly seed: number;
  readonly cache: boolean;
}

/** Declares the command. */
export function addGenerateCommand(program: Command, execute: Execute): void {
  addModelOptions(program.command('generate'))
    .description('continue a text with a model of this machine')
    .requiredOption('--prompt <text>', 'the text to continue; - reads it from stdin')
    .option('--max-tokens <number>', 'most tokens to add', readCount(1, 1e9), 200)
    .option('--temperature <number>', '0 always takes the most probable token', readDecimal(0, 1000), 0.8)
    .option('--top-k <number>', 'draw from so many of the most probable tokens; 0 is all', readCount(0, 1e9), 0)
    .option('--top-p <share>', 'draw from the fewest tokens of this probability together', readDecimal(1e-9, 1), 1)
    .option('--seed <number>', 'the same seed gives the same text (default: random)', readCount(0, 2 ** 53 - 1))
    .option('--no-cache', 'compute the whole context for every token: slow, to check the cache')
    .action((flags: GenerateFlags) => execute((context) => runGenerate(context, flags)));
}

async function runGenerate(context: CliContext, flags: GenerateFlags): Promise<number> {
  const { stdout, stderr, signal } = context;
  const { maxTokens, temperature, topK, topP, cache, json = false, seed = randomInt(2 ** 32) } = flags;
  const prompt = flags.prompt === '-' ? await readAll(addAbortSignal(signal, context.stdin as Readable)) : flags.prompt;
  const { model, parameters, tokenizer, from, threads } = await chooseModel(context, flags);
  const { contextLength } = model;
  const settings = { prompt, seed, temperature, topK, topP, cache };
  const show = (part: string): void => void stdout.write(stdout.isTTY === true ? maskControls(part) : part);

  const { DecodeSession } = await import('../../trainer/decode-session.ts');
  const session = await DecodeSession.create(model, parameters, threads);
  const made = await produce(
    session,
    { ...settings, contextLength, maxTokens, tokenizer, signal },
    json ? () => {} : show,
  );
  await session.release();

  if (json) {
    printJson(context, { model: from, parameters: parameters.length, ...settings, ...made } satisfies GenerateReport);
  } else {
    const speed = `${made.tokens} tokens, ${made.tokensPerSecond.toFixed(1)} a second`;
    stdout.write('\n');
    stderr.write(`${speed}, ${endings[made.end]}, seed ${seed}, ${from}\n`);
  }
  if (made.promptTokens > contextLength) {
    stderr.write(`Of the ${made.promptTokens} tokens of the prompt the model has read the last ${contextLength}.\n`);
  }
  return made.end === 'aborted' ? exitCodeOf(signal) : exitCodes.ok;
}

type Produced = GenerateTextResult & Pick<GenerateReport, 'text' | 'tokensPerSecond'>;

async function produce(session: Continuation, init: GenerateTextInit, show: (part: string) => void): Promise<Produced> {
  const { generateText } = await import('../../trainer/generate/generate-text.ts');
  const startMs = performance.now();
  const parts = generateText(session, init);
  let text = '';
  for (let step = await parts.next(); ; step = await parts.next()) {
    if (step.done === true) {
      const tokensPerSecond = (1000 * step.value.tokens) / (performance.now() - startMs);
      return { ...step.value, text, tokensPerSecond };
    }
    text += step.value;
    show(step.value);
  }
}

const endings: Readonly<Record<GenerateEnd, string>> = {
  'max-tokens': 'as many as asked for',
  separator: 'ended by the model',
  aborted: 'stopped',
};

/** A model may write anything: what a terminal would obey is shown instead. */
function maskControls(text: string): string {
  return text.replaceAll(/[^\P{Cc}\n\t]/gu, '\uFFFD');
}

function readDecimal(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = text.trim() === '' ? Number.NaN : Number(text);
    if (value >= least && value <= most) return value;
    throw new InvalidArgumentError(`Expected a number from ${least} to ${most}.`);
  };
}
