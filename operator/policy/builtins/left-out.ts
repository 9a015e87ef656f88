// SPDX-License-Identifier: Apache-2.0

const NETWORK = 'asks the network: a pack answers from its input, its data and the time of the request';
const CHANCE = 'answers by chance: the same request would not always get the same answer';
const SIGNS = 'signs with a key, which would have to be in the pack, for whoever may read that';
const TOKENS =
  'checks the signature of a token: who asks is checked by the API server before a pack is asked. What is in a token is told by io.jwt.decode';
const CERTIFICATES =
  'reads certificates and keys of a process that has the key of a server; what is served is checked by who serves it';
const SCHEMAS =
  'judges by schemas whose checks and words are those of one library in Go: another would now and then judge otherwise. Check fields in Rego, or by a schema of the API server';
const GRAPHQL = 'reads GraphQL, which no request to an API server has';
const URIS = 'takes addresses for what one library in Go takes them for; use regex.match, or split';
const TEMPLATES = 'runs templates of Go; use sprintf';
const OPTIONS = 'writes JSON in several ways; use json.marshal';
const GLOBS = 'compares two patterns, and not a pattern with a text; use glob.match or regex.match';
const REGO = 'reads Rego; a pack has no use for it';
const TESTING = 'is for tests of the compiler itself';

/** Builtins of the compiler that packs have not, each with why, and with what to use where there is something. */
export const LEFT_OUT: Readonly<Record<string, string>> = {
  ...each('http.send net.lookup_ip_addr', NETWORK),
  ...each('rand.intn uuid.rfc4122', CHANCE),
  ...each('io.jwt.encode_sign io.jwt.encode_sign_raw providers.aws.sign_req', SIGNS),
  ...each(
    `io.jwt.decode_verify io.jwt.verify_eddsa io.jwt.verify_es256 io.jwt.verify_es384 io.jwt.verify_es512 io.jwt.verify_hs256 io.jwt.verify_hs384
    io.jwt.verify_hs512 io.jwt.verify_ps256 io.jwt.verify_ps384 io.jwt.verify_ps512 io.jwt.verify_rs256 io.jwt.verify_rs384 io.jwt.verify_rs512`,
    TOKENS,
  ),
  ...each(
    `crypto.parse_private_keys crypto.x509.parse_and_verify_certificates crypto.x509.parse_and_verify_certificates_with_options
    crypto.x509.parse_certificate_request crypto.x509.parse_certificates crypto.x509.parse_keypair crypto.x509.parse_rsa_private_key`,
    CERTIFICATES,
  ),
  ...each('json.match_schema json.verify_schema', SCHEMAS),
  ...each(
    'graphql.is_valid graphql.parse graphql.parse_and_verify graphql.parse_query graphql.parse_schema graphql.schema_is_valid',
    GRAPHQL,
  ),
  ...each('uri.is_valid uri.parse', URIS),
  ...each('strings.render_template', TEMPLATES),
  ...each('json.marshal_with_options', OPTIONS),
  ...each('regex.globs_match', GLOBS),
  ...each('rego.parse_module', REGO),
  ...each('internal.test_case', TESTING),
};

function each(names: string, why: string): Readonly<Record<string, string>> {
  return Object.fromEntries(
    names
      .trim()
      .split(/\s+/)
      .map((name) => [name, why]),
  );
}

/** Functions that other hosts of Rego add to those of the compiler, each with why packs have not got them. */
const OF_OTHERS: Readonly<Record<string, string>> = {
  external_data: `is of Gatekeeper, and asks its Providers; it ${NETWORK}. What is known of images is told by spec.facts, and what exists by spec.inventory`,
};

/** What a message of the compiler about a function that is not there lacks: why it is not. */
export function withWhy(message: string): string {
  const [, name = ''] = /undefined function ([\w.]+)/.exec(message) ?? [];
  const why = [LEFT_OUT, OF_OTHERS].find((known) => Object.hasOwn(known, name))?.[name];
  return why === undefined ? message : `${message}: packs have not ${name}, as it ${why}`;
}
