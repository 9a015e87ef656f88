// SPDX-License-Identifier: Apache-2.0
import { _, Ajv, type CodeKeywordDefinition, type ErrorObject, type ValidateFunction } from 'ajv';
import addFormats from 'ajv-formats';
import { asText, type Document } from '../core/supply-chain/documents.ts';
import { quote, refuse, type Refused } from '../core/supply-chain/judgement.ts';
import { CYCLONEDX_PARTS, CYCLONEDX_SCHEMAS } from './cyclonedx-schemas.ts';
import { Same } from './same.ts';
import { patternOf } from './schema-patterns.ts';
import { SPDX_2, SPDX_SCHEMA } from './spdx-schema.ts';

/** Of one document: what is the same in it is told once. */
let same = new Same();

/** Validators by form: to make one takes a tenth of a second. */
const made = new Map<string, ValidateFunction>();

/** What a document says that it is, and the schema of that. */
interface Form {
  readonly name: string;
  readonly schema: object;
}

/**
 * What of a bill of materials is not as the schema of its form says, in CycloneDX, and in SPDX 2.2 and 2.3; undefined where nothing is, or where it
 * is of another form. For a process that judges: how long it takes is bounded by that alone.
 */
export function schemaProblem(predicate: Document): Refused | undefined {
  const form = formOf(predicate);
  if (form === undefined) return undefined;
  const validate = validatorOf(form);
  same = new Same();
  const isValid = validate(predicate);
  same = new Same();
  if (isValid) return undefined;
  const words = wordsOf(validate.errors ?? []);
  return refuse('SbomInvalid', `the bill of materials is no ${form.name}: ${words}`);
}

function formOf(predicate: Document): Form | undefined {
  const version = asText(predicate['specVersion']) ?? '';
  const schema = Object.hasOwn(CYCLONEDX_SCHEMAS, version) ? CYCLONEDX_SCHEMAS[version] : undefined;
  if (predicate['bomFormat'] === 'CycloneDX' && schema !== undefined)
    return { name: `CycloneDX ${version}`, schema };
  const spdx = asText(predicate['spdxVersion']) ?? '';
  return SPDX_2.has(spdx) ? { name: spdx.replace('-', ' '), schema: SPDX_SCHEMA } : undefined;
}

function validatorOf({ name, schema }: Form): ValidateFunction {
  const known = made.get(name);
  if (known !== undefined) return known;
  const validate = newAjv().compile(schema);
  made.set(name, validate);
  return validate;
}

/** Formats, by expressions that cannot be made slow: the address of somebody is looked at as a text with an @, and references not at all. */
export function addFormatsTo(ajv: Ajv): void {
  addFormats.default(ajv, ['date-time', 'date']);
  ajv.addFormat('iri-reference', true);
  ajv.addFormat('uri', /^[a-z][a-z0-9+.-]{0,31}:/i);
  ajv.addFormat('idn-email', /^[^\s@]{1,256}@[^\s@]{1,256}$/u);
}

/**
 * Keywords of its own, which say the same sooner: those of ajv compare all items of a list with each other, go through hundreds of licences for each
 * that is named, and count the letters of each reference.
 */
function newAjv(): Ajv {
  const ajv = new Ajv({
    strict: false,
    addUsedSchema: false,
    logger: false,
    schemas: { ...CYCLONEDX_PARTS },
    // What stands for it where a validator is written out as code, which nobody does.
    code: { regExp: Object.assign(patternOf, { code: 'new RegExp' }) },
  });
  addFormatsTo(ajv);
  ajv.removeKeyword('uniqueItems');
  ajv.addKeyword({
    keyword: 'uniqueItems',
    type: 'array',
    schemaType: 'boolean',
    validate: (isAsked: boolean, items: readonly unknown[]) => !isAsked || same.areDistinct(items),
  });
  ajv.removeKeyword('minLength');
  ajv.addKeyword(MIN_LENGTH);
  ajv.removeKeyword('enum');
  ajv.addKeyword({
    keyword: 'enum',
    schemaType: 'array',
    compile: (values: readonly unknown[], { nullable }) => {
      const allowed = new Set(nullable === true ? [...values, null] : values);
      return (value: unknown) => allowed.has(value);
    },
  });
  return ajv;
}

/** All that schemas ask is that a text is not empty: for that nobody has to count its letters. */
const MIN_LENGTH: CodeKeywordDefinition = {
  keyword: 'minLength',
  type: 'string',
  schemaType: 'number',
  code: (context) => {
    if (context.schema !== 1) throw new RangeError('a schema asks for texts of more than a letter');
    context.fail(_`${context.data} === ""`);
  },
  error: { message: 'must NOT have fewer than 1 characters', params: _`{limit: 1}` },
};

const KEYWORDS: Readonly<Record<string, string>> = {
  enum: 'must be one of the values that are allowed',
  uniqueItems: 'must not have the same item twice',
};

function depthOf({ instancePath }: ErrorObject): number {
  return instancePath.split('/').length;
}

/** Of alternatives that all failed, the one that came furthest says most. */
function wordsOf(errors: readonly ErrorObject[]): string {
  const [furthest] = errors.toSorted((one, other) => depthOf(other) - depthOf(one));
  if (furthest === undefined) return 'it does not fit the schema';
  const { instancePath, keyword, message = '', params } = furthest;
  const field: unknown = params['additionalProperty'];
  const more = typeof field === 'string' ? ` (${quote(field)})` : '';
  const place = instancePath === '' ? 'at its top' : `at ${quote(instancePath).slice(1, -1)}`;
  return `${place}: ${KEYWORDS[keyword] ?? message}${more}`;
}
