// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { baseScoreTenths } from './cvss.ts';

const cases: Readonly<Record<string, number | undefined>> = {
  'CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H': 98,
  'CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N': 61,
  'CVSS:3.0/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H': 100,
  'CVSS:3.1/AV:P/AC:H/PR:H/UI:R/S:U/C:N/I:N/A:N': 0,
  'CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N': 93,
  'AV:N/AC:L/Au:N/C:P/I:P/A:P': 75,
  // What is written beside the base lowers nothing.
  'CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H/E:U/RL:O/RC:U': 98,
  'CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H/MAV:P/MC:N/MI:N/MA:N': 98,
  'CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N/E:U': 93,
  'AV:N/AC:L/Au:N/C:P/I:P/A:P/E:U/RL:OF/RC:UC': 75,
  // Order is free.
  'CVSS:3.1/A:H/I:H/C:H/S:U/UI:N/PR:N/AC:L/AV:N': 98,
  // No vectors, which a lenient reader scores 0.
  '': undefined,
  'CVSS:9.9/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H': undefined,
  'CVSS:3.1/AV:X/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H': undefined,
  'CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H': undefined,
  'CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H/A:N': undefined,
  'CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H/ZZ:N': undefined,
  'CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H/': undefined,
  'CVSS:3.1/AV:N:A/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H': undefined,
  'CVSS:3.1/AV:NA/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H': undefined,
  'cvss:3.1/av:n/ac:l/pr:n/ui:n/s:u/c:h/i:h/a:h': undefined,
  'AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H': undefined,
  'CVSS:3.1/constructor:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H': undefined,
  [`CVSS:3.1/${'AV:N/'.repeat(1000)}`]: undefined,
};

for (const [vector, want] of Object.entries(cases)) {
  test(`base score of ${vector.slice(0, 90)}`, (t) => {
    t.is(baseScoreTenths(vector), want);
    t.is(baseScoreTenths(vector), want, 'and again');
  });
}
