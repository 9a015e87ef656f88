// SPDX-License-Identifier: Apache-2.0

/** One measured figure. `bar` is what the design asks for; figures without one are for information. */
export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  readonly bar?: { readonly atMost?: number; readonly atLeast?: number };
}

/** Whether `figure` keeps its bar; undefined when it has none. A value that is not a number keeps none. */
export function keepsBar({ value, bar }: Figure): boolean | undefined {
  if (bar === undefined) return undefined;
  if (Number.isNaN(value)) return false;
  return (
    value <= (bar.atMost ?? Number.POSITIVE_INFINITY) && value >= (bar.atLeast ?? Number.NEGATIVE_INFINITY)
  );
}

/** The figures as a Markdown table. */
export function toMarkdown(figures: readonly Figure[]): string {
  const rows = figures.map((figure) => {
    const kept = keepsBar(figure);
    const verdict = kept === undefined ? '' : kept ? 'kept' : 'MISSED';
    return `| ${figure.name} | ${rounded(figure.value)} ${figure.unit} | ${barText(figure)} | ${verdict} |`;
  });
  return ['| what | measured | bar | |', '| --- | --- | --- | --- |', ...rows].join('\n');
}

function barText({ bar, unit }: Figure): string {
  const { atLeast, atMost } = bar ?? {};
  if (atLeast !== undefined && atLeast === atMost) return `${atLeast} ${unit}`;
  const bounds = [
    atLeast === undefined ? [] : [`>= ${atLeast} ${unit}`],
    atMost === undefined ? [] : [`<= ${atMost} ${unit}`],
  ];
  return bounds.flat().join(', ');
}

function rounded(value: number): string {
  return Math.abs(value) >= 100 ? value.toFixed(0) : value.toFixed(2);
}
