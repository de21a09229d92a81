/** What people see of a run of training: where it stands, how fast it is, how long it still takes, and every measure. */
import type { RunEvent } from '../../trainer/training-run.ts';
import type { OutputStream, Print } from '../cli-context.ts';
import { formatDuration, formatLoss } from './format.ts';

const rewriteMs = 100;

/** Shows the events of a run. */
export interface TrainView {
  show(event: RunEvent): void;
  /** Takes the line that is rewritten away. */
  end(): void;
}

/**
 * Lines for every measure; on a terminal also a line about the step under way.
 * @param live where that line goes
 */
export function createTrainView(print: Print, live: OutputStream, nowMs: () => number): TrainView {
  let begun: { readonly step: number; readonly atMs: number } | null = null;
  let shownAtMs = Number.NEGATIVE_INFINITY;
  const clear = (): void => {
    if (live.isTTY === true) live.write('\r\u001B[K');
  };
  const showStep = (step: number, of: number, loss: number): void => {
    begun ??= { step, atMs: nowMs() };
    if (live.isTTY !== true || nowMs() - shownAtMs < rewriteMs) return;
    shownAtMs = nowMs();
    const left = step > begun.step ? ((nowMs() - begun.atMs) / (step - begun.step)) * (of - step) : null;
    const end = left === null ? '' : `, ${formatDuration(left)} left`;
    live.write(`\r\u001B[Kstep ${step} of ${of}, loss ${formatLoss(loss, '-')}${end}`);
  };
  return {
    show(event): void {
      if (event.event === 'training.progressed') {
        showStep(event.step, event.of, event.loss);
        return;
      }
      clear();
      if (event.event === 'warning') {
        print(event.message);
      } else if (event.event === 'run.started') {
        const from = event.step === 0 ? 'from the start' : `on from step ${event.step}`;
        print(`${event.parameters} parameters, ${from} to step ${event.steps}; losses in nats a byte`);
        print('    step  training  validation  tokens/s');
      } else {
        const { step, trainingLoss, validationLoss, tokensPerSecond } = event;
        const cells = [formatLoss(trainingLoss, '-').padStart(8), formatLoss(validationLoss, '-').padStart(10)];
        print(`${String(step).padStart(8)}  ${cells.join('  ')}  ${(tokensPerSecond?.toFixed(0) ?? '-').padStart(8)}`);
      }
    },
    end: clear,
  };
}
