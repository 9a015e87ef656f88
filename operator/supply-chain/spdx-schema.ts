// SPDX-License-Identifier: Apache-2.0
import schema from './spdx/spdx-2.3.schema.json' with { type: 'json' };

/** Versions of SPDX that are held against it: that of 2.3 takes all that 2.2 had, and asks for less of a package. */
export const SPDX_2: ReadonlySet<string> = new Set(['SPDX-2.2', 'SPDX-2.3']);

/** A part of a schema, as far as it is looked at here. */
interface Part {
  readonly properties?: Readonly<Record<string, Part>>;
  readonly required?: readonly string[];
  readonly items?: Part;
  readonly enum?: readonly unknown[];
  readonly minItems?: number;
}

/** Parts of a document that nothing is read from: of what is in them nothing has to be there. */
const UNREAD: ReadonlySet<string> = new Set(['files', 'snippets']);

/**
 * The schema of SPDX 2.3, as its authors have written it (spdx/README.md), but for what common writers do otherwise and nobody is misled by:
 *
 * - What need not be there may be null, and a list without items. Some fill in all that there is, and neither says anything.
 * - A word may be written with `-` where the schema has `_`, as it allows by itself for some: tools-golang, and with it Trivy, write
 *   `OPERATING-SYSTEM`.
 * - Of files and snippets nothing has to be there: tools-golang writes `"checksums": null` of a file without any.
 * - Files may stand in their packages as well, as tools-golang writes those that it was given there.
 */
export const SPDX_SCHEMA: object = {
  ...adapted(withFilesOfPackages(schema as Part), false),
  // It names a dialect of which it uses nothing that this one has not.
  $schema: 'http://json-schema.org/draft-07/schema#',
};

function withFilesOfPackages(whole: Part): Part {
  const { files, packages } = whole.properties ?? {};
  if (files === undefined || packages?.items === undefined) throw new Error('no schema of SPDX 2');
  const items = { ...packages.items, properties: { ...packages.items.properties, files } };
  return { ...whole, properties: { ...whole.properties, packages: { ...packages, items } } };
}

function adapted(part: Part, isUnread: boolean): Part {
  const { properties, items } = part;
  const required = isUnread ? [] : (part.required ?? []);
  return {
    ...part,
    ...(part.required !== undefined && { required }),
    ...(part.enum !== undefined && { enum: spelled(part.enum) }),
    ...(items !== undefined && { items: adapted(items, isUnread) }),
    ...(properties !== undefined && {
      properties: Object.fromEntries(
        Object.entries(properties).map(([name, one]) => {
          const field = adapted(one, isUnread || UNREAD.has(name));
          return [name, required.includes(name) ? field : orNull(field)];
        }),
      ),
    }),
  };
}

function orNull(part: Part): Part & { readonly nullable: true } {
  return {
    ...part,
    ...(part.enum !== undefined && { enum: [...part.enum, null] }),
    ...(part.minItems !== undefined && { minItems: 0 }),
    nullable: true,
  };
}

function spelled(words: readonly unknown[]): readonly unknown[] {
  return [
    ...new Set(
      words.flatMap((word) => (typeof word === 'string' ? [word, word.replaceAll('_', '-')] : [word])),
    ),
  ];
}
