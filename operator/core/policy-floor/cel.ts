// SPDX-License-Identifier: Apache-2.0
import { labelsOf } from '../guardrails/marks.ts';
import type { Cel } from '../guardrails/policy.ts';
import type { LabelExpression, LabelSelector } from '../policy/selector.ts';

const ESCAPES: Readonly<Record<string, string>> = { '\\': '\\\\', "'": "\\'" };

/** `text` as a CEL string, whatever is in it. */
export function textCel(text: string): Cel {
  const escaped = text
    .toWellFormed()
    .replaceAll(
      /[\\'\p{Cc}\u2028\u2029]/gu,
      (one) => ESCAPES[one] ?? `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`,
    );
  return `'${escaped}'`;
}

/** Strings as a CEL list. */
export function listCel(texts: readonly string[]): Cel {
  return `[${texts.map(textCel).join(', ')}]`;
}

/**
 * A JSON value in CEL. What is in lists and maps is of type dyn: the API server takes no list, and no map, of values of several types.
 * valueCel({ a: [1, 'b'] }) -> "{'a': dyn([dyn(1), dyn('b')])}"
 */
export function valueCel(value: unknown): Cel {
  if (typeof value === 'string') return textCel(value);
  if (typeof value === 'number') return numberCel(value);
  if (Array.isArray(value)) return `[${value.map((one) => `dyn(${valueCel(one)})`).join(', ')}]`;
  if (typeof value !== 'object' || value === null) return value === true ? 'true' : emptyCel(value);
  const entries = Object.entries(value).map(([key, one]) => `${textCel(key)}: dyn(${valueCel(one)})`);
  return `{${entries.join(', ')}}`;
}

function emptyCel(value: unknown): Cel {
  return value === false ? 'false' : 'null';
}

/** As the API server reads numbers of JSON: whole ones are of type int. */
function numberCel(value: number): Cel {
  if (Number.isSafeInteger(value)) return String(value === 0 ? 0 : value);
  const digits = String(value);
  return /[.e]/.test(digits) ? digits : `${digits}.0`;
}

/** Whether `text`, a CEL expression of a string, is what `pattern` says, where `*` is any text. */
export function globCel(pattern: string, text: Cel): Cel {
  if (!pattern.includes('*')) return `${text} == ${textCel(pattern)}`;
  const expression = pattern
    .split('*')
    .map((part) => part.replaceAll(/[\\^$.|?+()[\]{}-]/g, String.raw`\$&`))
    .join('.*');
  return `${text}.matches(${textCel(`^${expression}$`)})`;
}

/** Whether a selector selects an object: one that is not there is as one without labels. */
export function selectorCel(selector: LabelSelector, object: Cel): Cel {
  const labels = labelsOf(object);
  const all = [
    ...Object.entries(selector.matchLabels ?? {}).map(([key, value]) =>
      holdsCel({ key, operator: 'In', values: [value] }, labels),
    ),
    ...(selector.matchExpressions ?? []).map((one) => holdsCel(one, labels)),
  ];
  return all.length === 0 ? 'true' : all.map((one) => `(${one})`).join(' && ');
}

function holdsCel({ key, operator, values = [] }: LabelExpression, labels: Cel): Cel {
  const name = textCel(key);
  const has = `${name} in ${labels}`;
  const isListed = `${labels}[${name}] in ${listCel(values)}`;
  switch (operator) {
    case 'In':
      return values.length === 0 ? 'false' : `${has} && ${isListed}`;
    case 'NotIn':
      return values.length === 0 ? 'true' : `!(${has}) || !(${isListed})`;
    case 'Exists':
      return has;
    case 'DoesNotExist':
      return `!(${has})`;
    default:
      return 'false';
  }
}
