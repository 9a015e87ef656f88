// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { isGoAtLeast, requiredGo, requiredVersion } from './go-module.ts';

const goMod = `module example.test/tools

go 1.26.0

replace (
	k8s.io/api => k8s.io/api v0.36.3
)

require k8s.io/single v1.0.0

require (
	k8s.io/kubernetes v1.36.3 // indirect
	k8s.io/kubernetes-csi v9.9.9
)
`;

const versions = {
  'a line of a block, with a comment': ['k8s.io/kubernetes', 'v1.36.3'],
  'a module whose name begins alike': ['k8s.io/kubernetes-csi', 'v9.9.9'],
  'a line of its own': ['k8s.io/single', 'v1.0.0'],
} as const;

for (const [title, [module, want]] of Object.entries(versions)) {
  test(`required version: ${title}`, (t) => {
    t.is(requiredVersion(goMod, module), want);
  });
}

test('a module that is only replaced is not required', (t) => {
  t.throws(() => requiredVersion(goMod, 'k8s.io/api'), { message: /does not require k8s.io\/api/ });
});

test('the oldest Go is read', (t) => {
  t.is(requiredGo(goMod), '1.26.0');
  t.throws(() => requiredGo('module x\n'), { message: /no go line/ });
});

const releases = {
  'the same': ['go1.26.0', '1.26.0', true],
  'a later patch': ['go1.26.8', '1.26.0', true],
  'a later minor': ['go1.27', '1.26.8', true],
  'a minor of two digits is not text': ['go1.9.7', '1.26.0', false],
  'an earlier patch': ['go1.26.0', '1.26.1', false],
  'no patch told': ['go1.26', '1.26.0', true],
  'a vendor suffix': ['go1.26.8-X:nodwarf5', '1.26.0', true],
  'a release candidate': ['go1.27rc1', '1.26.0', true],
  'a later major': ['go2.0', '1.26.0', true],
} as const;

for (const [title, [have, want, enough]] of Object.entries(releases)) {
  test(`Go ${have} for ${want}: ${title}`, (t) => {
    t.is(isGoAtLeast(have, want), enough);
  });
}
