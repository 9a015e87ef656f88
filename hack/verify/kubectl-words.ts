// SPDX-License-Identifier: Apache-2.0

/** What a command of kubectl says: `kubectl get tn/acme -o yaml` gives the words `get`, `tn/acme` and the flag `--output`. */
export interface KubectlWords {
  /** The verb, and what follows it. */
  readonly plain: readonly string[];
  /** Values by flag, each by its long name. Those that take none are not there. */
  readonly flags: ReadonlyMap<string, readonly string[]>;
}

/** What short flags that take a value stand for. */
const SHORT: Readonly<Record<string, string>> = {
  '-n': '--namespace',
  '-l': '--selector',
  '-L': '--label-columns',
  '-o': '--output',
  '-p': '--patch',
  '-f': '--filename',
};
/** Flags whose value is the next word where none comes after `=`. */
const WITH_VALUE = new Set([
  ...Object.values(SHORT),
  '--as',
  '--as-group',
  '--context',
  '--field-selector',
  '--for',
  '--kubeconfig',
  '--patch-file',
  '--sort-by',
  '--subresource',
  '--timeout',
  '--type',
]);

/** The words after `kubectl`, told apart as it does. They are without their quotes. */
export function readKubectl(words: readonly string[]): KubectlWords {
  const plain: string[] = [];
  const flags = new Map<string, string[]>();
  for (let index = 0; index < words.length; index += 1) {
    const flag = flagOf(words[index] ?? '');
    if (flag === undefined) {
      plain.push(words[index] ?? '');
      continue;
    }
    const isNext = flag.value === undefined && WITH_VALUE.has(flag.name);
    const value = isNext ? words[(index += 1)] : flag.value;
    if (value !== undefined) flags.set(flag.name, [...(flags.get(flag.name) ?? []), value]);
  }
  return { plain, flags };
}

/** `-oyaml`, `-o=yaml`, `--output=yaml` and `--output` are one flag. */
function flagOf(word: string): { readonly name: string; readonly value: string | undefined } | undefined {
  if (!word.startsWith('-')) return undefined;
  const short = SHORT[word.slice(0, 2)];
  if (short !== undefined) return { name: short, value: word.slice(2).replace(/^=/, '') || undefined };
  const [name = '', ...value] = word.split('=');
  return { name, value: value.length === 0 ? undefined : value.join('=') };
}
