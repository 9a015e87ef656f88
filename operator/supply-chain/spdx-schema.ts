// SPDX-License-Identifier: Apache-2.0
import schema from './spdx/spdx-2.3.schema.json' with { type: 'json' };

/** Versions of SPDX that are held against it: that of 2.3 takes all that 2.2 had, and asks for less of a package. */
export const SPDX_2: ReadonlySet<string> = new Set(['SPDX-2.2', 'SPDX-2.3']);

/** A part of a schema, as far as it is looked at here. */
interface Part {
  readonly properties?: Readonly<Record<string, Part>>;
  readonly required?: readonly string[];
  readonly items?: Part;
}

/**
 * The schema of SPDX 2.3, as its authors have written it (spdx/README.md), but for one thing: what need not be there may be null. Some writers fill in all
 * that there is, and what is null says nothing.
 */
export const SPDX_SCHEMA: object = {
  ...withNulls(schema as Part),
  // It names a dialect of which it uses nothing that this one has not.
  $schema: 'http://json-schema.org/draft-07/schema#',
};

function withNulls(part: Part): Part {
  const { properties, required = [], items } = part;
  return {
    ...part,
    ...(items !== undefined && { items: withNulls(items) }),
    ...(properties !== undefined && {
      properties: Object.fromEntries(
        Object.entries(properties).map(([name, one]) => [
          name,
          required.includes(name) ? withNulls(one) : { ...withNulls(one), nullable: true },
        ]),
      ),
    }),
  };
}
