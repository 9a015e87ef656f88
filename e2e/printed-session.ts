// SPDX-License-Identifier: Apache-2.0

/** A block of commands of a page, and what the page says that they print. */
export interface PrintedStep {
  readonly commands: string;
  /** Lines that must come out; undefined when the page does not say. */
  readonly want: readonly string[] | undefined;
  /** Line of the page, for messages. */
  readonly line: number;
}

const FENCE = /^```(\w*)$/;

/** The `sh` blocks of a Markdown page, each with the `text` block that follows it. */
export function printedSteps(markdown: string): readonly PrintedStep[] {
  const blocks = fencedBlocks(markdown);
  return blocks.flatMap((block, index) => {
    if (block.language !== 'sh') return [];
    const next = blocks[index + 1];
    const want = next?.language === 'text' ? next.lines : undefined;
    return [{ commands: block.lines.join('\n'), want, line: block.line }];
  });
}

/** A fenced block of a Markdown page. */
export interface Block {
  readonly language: string;
  readonly lines: readonly string[];
  readonly line: number;
}

/** All fenced blocks of a Markdown page, in order. */
export function fencedBlocks(markdown: string): readonly Block[] {
  const blocks: Block[] = [];
  let open: { language: string; lines: string[]; line: number } | undefined;
  for (const [index, text] of markdown.split('\n').entries()) {
    const fence = FENCE.exec(text);
    if (open === undefined && fence !== null) {
      open = { language: fence[1] ?? '', lines: [], line: index + 1 };
    } else if (open !== undefined && text === '```') {
      blocks.push(open);
      open = undefined;
    } else open?.lines.push(text);
  }
  return blocks;
}

/**
 * Whether `line` is what was printed: runs of blanks count as one, and `…` in the wanted line stands for anything. Worked
 * example: `tutorial Active …` fits `tutorial   Active   14s`.
 */
export function fitsPrinted(line: string, wanted: string): boolean {
  const pattern = squeeze(wanted)
    .split('…')
    .map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
    .join('.*');
  return new RegExp(`^${pattern}$`).test(squeeze(line));
}

function squeeze(line: string): string {
  return line.trim().replace(/\s+/g, ' ');
}
