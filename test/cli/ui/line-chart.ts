import test, { type ExecutionContext } from 'ava';
import { type ChartSeries, drawLineChart } from '../../../src/cli/ui/line-chart.ts';

const draw = (...series: ChartSeries[]): string =>
  drawLineChart({ title: 'Losses', xLabel: 'steps', yLabel: 'nats', series });

/** Texts of one kind, in document order. */
function textsOf(svg: string, kind: string): string[] {
  return [...svg.matchAll(new RegExp(`<text class="${kind}"[^>]*>([^<]*)</text>`, 'g'))].map((match) => match[1]!);
}

/** Corners of every line in pixels; those of the legend, which are relative, are not among them. */
function cornersOf(svg: string): number[][][] {
  return [...svg.matchAll(/<path class="line[^>]* d="M([\d.,L-]+)"/g)].map((match) =>
    match[1]!.split('L').map((corner) => corner.split(',').map(Number)),
  );
}

/** The document has one root, every other element is closed, and no number went wrong. */
function assertSound(t: ExecutionContext, svg: string): void {
  t.regex(svg, /^<svg [^>]*>[\s\S]*<\/svg>\n$/);
  t.notRegex(svg, /NaN|Infinity|undefined/);
  const open: string[] = [];
  for (const [, closing, name, closed] of svg.matchAll(/<(\/?)(\w+)[^>]*?(\/?)>/g)) {
    if (closing) t.is(open.pop(), name);
    else if (!closed) open.push(name!);
  }
  t.deepEqual(open, []);
}

test('points lie where the ticks say', (t) => {
  const svg = draw({
    name: 'a',
    points: [
      [0, 1],
      [50, 2],
      [100, 3],
    ],
  });
  assertSound(t, svg);
  t.deepEqual(textsOf(svg, 'tick'), ['1.0', '1.5', '2.0', '2.5', '3.0', '0', '20', '40', '60', '80', '100']);
  const [[first, middle, last]] = cornersOf(svg) as [[number[], number[], number[]]];
  t.deepEqual([first![0], last![0]], [64, 724]);
  t.is(middle![0], (64 + 724) / 2);
  t.is(first![1]! - last![1]!, 340);
  t.is(middle![1], (first![1]! + last![1]!) / 2);
  t.deepEqual(textsOf(svg, 'end s0'), ['3.000']);
});

test('ticks are round for any range, and hold all points', (t) => {
  const ticksOf = (...points: ChartSeries['points']): string[] => {
    const svg = draw({ name: 'a', points });
    assertSound(t, svg);
    for (const [x, y] of cornersOf(svg).flat()) t.true(x! >= 64 && x! <= 724 && y! >= 96 && y! <= 436, `${x}, ${y}`);
    return textsOf(svg, 'tick');
  };
  t.deepEqual(ticksOf([0, 1.22], [1950, 2.89]), [
    '1.0',
    '1.5',
    '2.0',
    '2.5',
    '3.0',
    '0',
    '500',
    '1000',
    '1500',
    '2000',
  ]);
  t.deepEqual(ticksOf([0, -0.02], [9e5, 0.013]), [
    ...['-0.02', '-0.01', '0.00', '0.01', '0.02'],
    ...['0', '200k', '400k', '600k', '800k', '1M'],
  ]);
  t.deepEqual(ticksOf([3, 5], [4, 5]).slice(0, 6), ['4.4', '4.6', '4.8', '5.0', '5.2', '5.4']);
  t.deepEqual(ticksOf([0, 0.1], [0.3, 0.3]), ['0.10', '0.15', '0.20', '0.25', '0.30', '0.0', '0.1', '0.2', '0.3']);
});

test('what is not finite is a gap, and a point alone is a dot', (t) => {
  const svg = draw({
    name: 'a',
    points: [
      [0, 1],
      [1, 2],
      [2, Number.NaN],
      [3, 2],
      [4, Number.POSITIVE_INFINITY],
    ],
  });
  assertSound(t, svg);
  t.is(cornersOf(svg)[0]!.length, 2);
  t.is(svg.match(/class="line s0 dot"/g)?.length, 1);
  t.deepEqual(textsOf(svg, 'end s0'), ['2.000']);
});

test('a chart of nothing says so', (t) => {
  for (const svg of [draw(), draw({ name: 'a', points: [] })]) {
    assertSound(t, svg);
    t.true(textsOf(svg, 'label').includes('no points'));
  }
  t.false(textsOf(draw({ name: 'a', points: [[1, 1]] }), 'label').includes('no points'));
});

test('the legend breaks into rows, and last values stay apart and beside the plot', (t) => {
  const series = Array.from({ length: 9 }, (_, at) => ({
    name: `language ${at}`,
    points: [
      [0, 3],
      [10, at % 2 === 0 ? 1 + at / 10_000 : 3 - at / 10_000],
    ] as const,
  }));
  const svg = draw(...series);
  assertSound(t, svg);
  const placesOf = (kind: string): number[][] =>
    [...svg.matchAll(new RegExp(`<text class="${kind}" x="([\\d.]+)" y="([\\d.]+)">`, 'g'))].map((match) =>
      match.slice(1).map(Number),
    );
  const legend = placesOf('label').slice(0, 9);
  t.is(new Set(legend.map(([, y]) => y)).size, 2);
  t.true(Math.max(...legend.map(([x]) => x!)) + 72 < 724);
  const ends = placesOf('end s\\d').map(([, y]) => y!);
  const sorted = ends.toSorted((a, b) => b - a);
  t.is(ends.length, 9);
  t.true(sorted.every((y, at) => at === 0 || sorted[at - 1]! - y >= 15));
  // Labels of the highest and the lowest tick are 4 below their lines.
  const ticks = [...svg.matchAll(/<text class="tick" x="[\d.]+" y="([\d.]+)" text-anchor="end">/g)].map((match) =>
    Number(match[1]),
  );
  t.true(sorted[0]! <= Math.max(...ticks));
  t.true(sorted.at(-1)! >= Math.min(...ticks));
  const looks = [...svg.matchAll(/<path class="line (s\d)"( stroke-dasharray="[^"]*")? d="M[\d.]+,[\d.]+h24"/g)];
  t.is(new Set(looks.map(([, color, dash]) => `${color}${dash}`)).size, 9);
});

test('texts are text, whatever they contain', (t) => {
  const svg = drawLineChart({
    title: '<script> & "more"',
    xLabel: '<x>',
    yLabel: '</svg>',
    series: [{ name: 'a < b', points: [] }],
  });
  assertSound(t, svg);
  t.deepEqual(textsOf(svg, 'title'), ['&lt;script&gt; &amp; "more"']);
  t.true(textsOf(svg, 'label').includes('&lt;/svg&gt;'));
  t.true(textsOf(svg, 'label').includes('a &lt; b'));
});

/** Contrast of two colours as in WCAG 2.2, 1 to 21. */
function contrast(a: string, b: string): number {
  const luminance = (color: string): number => {
    const parts = [1, 3, 5].map((at) => Number.parseInt(color.slice(at, at + 2), 16) / 255);
    const [red, green, blue] = parts.map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
    return 0.2126 * red! + 0.7152 * green! + 0.0722 * blue!;
  };
  const [dark, light] = [luminance(a), luminance(b)].toSorted((x, y) => x - y) as [number, number];
  return (light + 0.05) / (dark + 0.05);
}

test('text and last values can be read in the light and in the dark', (t) => {
  const style = /<style>([\s\S]*)<\/style>/.exec(draw())![1]!;
  const schemes = style.split('@media (prefers-color-scheme:dark)');
  t.is(schemes.length, 2);
  for (const scheme of schemes) {
    const paper = /\.paper\{fill:(#\w{6})\}/.exec(scheme)![1]!;
    const inks = [...scheme.matchAll(/(?:text|tick|end\.s\d)\{fill:(#\w{6})\}/g)].map((match) => match[1]!);
    t.is(inks.length, 8);
    for (const ink of inks) t.true(contrast(ink, paper) >= 4.5, `${ink} on ${paper}`);
  }
});
