// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { answersOfBoth, compareWithOpa, readLines } from '../testing/same-as-opa.ts';

test('YAML is read as opa does', async (t) => {
  const { read = [] } = await readLines('yaml');
  const each = read.map((one) => [one]);
  const { different } = await compareWithOpa({ 'yaml.unmarshal': each, 'yaml.is_valid': each });
  t.deepEqual(different, {});
});

test('what is written as YAML is read by opa as what it was, however it is quoted', async (t) => {
  const { written = [] } = await readLines('yaml');
  const each = written.map((one) => [one]);
  const { host, opa: was } = await answersOfBoth({ 'yaml.marshal': each, 'json.marshal': each });
  const texts = written.map((one) => JSON.stringify(host[`yaml.marshal(${one})`]));
  const { opa } = await answersOfBoth({ 'yaml.unmarshal': texts.map((text) => [text]) });
  for (const [index, one] of written.entries()) {
    const value: unknown = JSON.parse(String(was[`json.marshal(${one})`]));
    t.deepEqual(opa[`yaml.unmarshal(${texts[index]})`], value, one);
  }
});
