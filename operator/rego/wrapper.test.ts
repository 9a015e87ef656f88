// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { evaluateRego } from './testing/opa.ts';
import { answering, wrapperModule } from './wrapper.ts';

interface Case {
  readonly modules: Readonly<Record<string, string>>;
  /** Packages and their rules, as the compiler tells them. */
  readonly packages: Readonly<Record<string, readonly string[]>>;
  readonly input?: unknown;
  readonly want: unknown;
}

const found = (rule: string, msg: string) => ({ rule, msg });

const CASES: Readonly<Record<string, Case>> = {
  'findings of all packages come together, each with the package it is from': {
    modules: {
      'a.rego': 'package a\ndeny contains "one"\nwarn contains {"msg": "careful", "field": "spec.x"}',
      'b.rego':
        'package b.c\ndeny contains {"msg": "two", "details": [1]}\nviolation contains {"msg": "three", "rule": "own"}',
    },
    packages: { a: ['deny', 'warn'], 'b.c': ['deny', 'violation'] },
    want: {
      deny: [{ details: [1], ...found('b.c', 'two') }, found('a', 'one')],
      warn: [{ field: 'spec.x', ...found('a', 'careful') }],
      violation: [found('own', 'three')],
    },
  },
  'a denial counts, whatever it is written as': {
    modules: {
      'a.rego': 'package a\ndeny if input.bad',
      'b.rego': 'package b\ndeny := "a text" if input.bad',
      'c.rego': 'package c\ndeny := {"msg": "an object"} if input.bad',
      'd.rego': 'package d\ndeny := ["a list", {"why": "no msg"}, 7]',
      'e.rego': 'package e\ndeny contains 5',
    },
    packages: { a: ['deny'], b: ['deny'], c: ['deny'], d: ['deny'], e: ['deny'] },
    input: { bad: true },
    want: {
      deny: [
        found('e', '5'),
        found('d', '7'),
        found('d', 'a list'),
        found('b', 'a text'),
        found('c', 'an object'),
        found('a', 'it is not allowed'),
        found('d', '{"why":"no msg"}'),
      ],
    },
  },
  'a rule that does not hold denies nothing': {
    modules: {
      'a.rego': 'package a\ndeny if input.bad\nwarn := false',
      'b.rego': 'package b\ndeny := "x" if input.bad',
    },
    packages: { a: ['deny', 'warn'], b: ['deny'] },
    want: { deny: [], warn: [] },
  },
  'allow: no as soon as one says no': {
    modules: {
      'a.rego': 'package abac.a\nallow := true',
      'b.rego': 'package abac.b\ndefault allow := false',
    },
    packages: { 'abac.a': ['allow'], 'abac.b': ['allow'] },
    want: { allow: false },
  },
  'allow: null where one says nothing': {
    modules: { 'a.rego': 'package abac.a\nallow := true', 'b.rego': 'package abac\nallow if input.x' },
    packages: { 'abac.a': ['allow'], abac: ['allow'] },
    want: { allow: null },
  },
  'allow: yes where all do': {
    modules: { 'a.rego': 'package abac.a\nallow := true' },
    packages: { 'abac.a': ['allow'] },
    want: { allow: true },
  },
  'allow: what is not true is no': {
    modules: { 'a.rego': 'package abac.a\nallow := "yes"' },
    packages: { 'abac.a': ['allow'] },
    want: { allow: false },
  },
  'allow in another package is a rule of its own': {
    modules: { 'a.rego': 'package helpers\nallow := false\ndeny contains "x" if input.x' },
    packages: { helpers: ['allow', 'deny'] },
    want: { deny: [] },
  },
  'regions: those that all agree on': {
    modules: {
      'a.rego': 'package residency.a\nregions := {"eu", "us"}',
      'b.rego': 'package residency.b\nregions := ["eu", "asia"]',
      'c.rego': 'package residency.c\nregions := {"mars"} if input.x',
    },
    packages: { 'residency.a': ['regions'], 'residency.b': ['regions'], 'residency.c': ['regions'] },
    want: { regions: ['eu'] },
  },
  'regions: none is none, and not no limit': {
    modules: { 'a.rego': 'package residency\nregions := set()' },
    packages: { residency: ['regions'] },
    want: { regions: [] },
  },
  'regions: left out where nothing is said': {
    modules: { 'a.rego': 'package residency\nregions := {"eu"} if input.x' },
    packages: { residency: ['regions'] },
    want: {},
  },
  'lists are put together, and of limits the smallest holds': {
    modules: {
      'a.rego':
        'package dlp.a\ndlp contains {"detector": "iban", "action": "block"}\nmasks contains "/spec/x"\nlimits := {"tokens": 5, "cost": 7}',
      'b.rego':
        'package disclosures\ndisclosures contains "ai"\nmutate contains {"path": "/a", "value": 1}\nlimits := {"tokens": 9, "seconds": 1}',
    },
    packages: { 'dlp.a': ['dlp', 'masks', 'limits'], disclosures: ['disclosures', 'mutate', 'limits'] },
    want: {
      dlp: [{ action: 'block', detector: 'iban' }],
      disclosures: ['ai'],
      masks: ['/spec/x'],
      mutate: [{ path: '/a', value: 1 }],
      limits: { tokens: 5, cost: 7, seconds: 1 },
    },
  },
  'names that are no words of Rego': {
    modules: { 'a.rego': 'package a["b-c"].default_\ndeny contains "x"' },
    packages: { 'a.b-c.default_': ['deny'] },
    want: { deny: [found('a.b-c.default_', 'x')] },
  },
};

for (const [name, { modules, packages, input = {}, want }] of Object.entries(CASES)) {
  test(name, async (t) => {
    const asked = answering(
      Object.entries(packages).map(([path, rules]) => ({ path: path.split('.'), rules })),
    );
    const files = { ...modules, 'nexusos/main.rego': wrapperModule(asked) };
    t.deepEqual(await evaluateRego(files, { query: 'data.nexusos.main.decision', input }), want);
  });
}

test('tests and templates of Gatekeeper are not asked', (t) => {
  const rules = ['deny', 'violation'];
  const found = answering([
    { path: ['a_test'], rules },
    { path: ['gatekeeper', 'templates', 'k8sx'], rules },
    { path: ['gatekeeper'], rules: ['violation'] },
  ]);
  t.deepEqual(found, { violation: ['data["gatekeeper"]'] });
});
