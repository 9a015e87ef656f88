// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { type Connection, Intake, INTAKE_LIMITS, intakeFor, type IntakeLimits } from './intake.ts';

/** An intake, and by name which of its connections were cut. */
function world(limits: Partial<IntakeLimits>) {
  const cut: string[] = [];
  let told = 0;
  const intake = new Intake({ ...INTAKE_LIMITS, ...limits }, () => (told += 1));
  const open = (peer: string, name: string): Connection => {
    const connection = intake.admit(peer, () => cut.push(name));
    if (typeof connection === 'string') throw new Error(`${name}: ${connection}`);
    return connection;
  };
  return { intake, open, cut, told: () => told };
}

const NOTHING = () => undefined;

test('one peer has its share of connections, and what ends makes room', (t) => {
  const { intake, open, cut } = world({ connections: 10, connectionsPerPeer: 2 });
  const first = open('a', 'a1');
  open('a', 'a2');
  t.is(intake.admit('a', NOTHING), 'peer');
  open('b', 'b1');
  intake.leave(first);
  intake.leave(first);
  t.is(intake.connections, 2);
  open('a', 'a3');
  t.is(intake.admit('a', NOTHING), 'peer');
  t.deepEqual(cut, []);
});

test('when all is taken, the largest peer makes room: first what is idle, the one used longest ago first', (t) => {
  const { intake, open, cut, told } = world({ connections: 5, connectionsPerPeer: 4 });
  const of = new Map(['l1', 'l2', 'l3', 'l4'].map((name) => [name, open('large', name)]));
  open('small', 's1');
  intake.begin(of.get('l1')!).end();
  const sent = intake.begin(of.get('l2')!);
  t.truthy(sent);
  for (const name of ['n1', 'n2']) open('new', name);
  t.deepEqual(cut, ['l3', 'l4'], 'not l2, which sends, nor l1, which was used since');
  t.is(told(), 2);
  t.is(intake.connections, 5);
  t.is(intake.admit('new', NOTHING), 'all', 'nobody has more than it would');
});

test('what is sent makes room where nothing is idle, and what is being answered never does', (t) => {
  const { intake, open, cut } = world({ connections: 4, connectionsPerPeer: 4 });
  const large = ['l1', 'l2', 'l3', 'l4'].map((name) => open('large', name));
  const [first, ...others] = large.map((one) => intake.begin(one));
  for (const one of others) one.answer();
  open('api', 'x1');
  t.deepEqual(cut, ['l1']);
  t.is(intake.admit('api', NOTHING), 'all', 'all that is left is being answered');
  first!.end();
  others[1]!.end();
  open('api', 'x2');
  t.deepEqual(cut, ['l1', 'l3']);
});

test('where the largest answers all it has, the next one makes room', (t) => {
  const { intake, open, cut } = world({ connections: 5, connectionsPerPeer: 3 });
  for (const name of ['a1', 'a2', 'a3']) intake.begin(open('api', name)).answer();
  for (const name of ['p1', 'p2']) open('pod', name);
  open('other', 'o1');
  t.deepEqual(cut, ['p1']);
});

test('bytes: a share for each, and when all are held, the largest gives up what it still sends', (t) => {
  const { intake, open, cut } = world({ heldBytes: 100, heldBytesPerPeer: 60 });
  const [l1, l2, l3] = ['l1', 'l2', 'l3'].map((name) => intake.begin(open('large', name)));
  const m1 = intake.begin(open('middle', 'm1'));
  t.true(l1!.hold(20) && l2!.hold(20) && l3!.hold(20));
  t.false(l1!.hold(1), 'more than its share');
  t.true(m1.hold(40));
  l1!.answer();
  const small = intake.begin(open('small', 's1'));
  t.true(small.hold(30));
  t.deepEqual(cut, ['l2', 'l3'], 'not l1, which is being answered');
  t.is(intake.heldBytes, 90);
  l2!.end();
  l3!.letGo();
  t.is(intake.heldBytes, 90, 'what was cut has let go once');
  t.true(small.hold(9));
  t.false(small.hold(2), 'the one that has more has no more than what it would have');
  small.letGo();
  m1.end();
  l1!.end();
  small.end();
  t.is(intake.heldBytes, 0);
});

test('a connection that has ended holds nothing and takes nothing', (t) => {
  const { intake, open } = world({});
  const connection = open('a', 'a1');
  const request = intake.begin(connection);
  t.true(request.hold(10));
  intake.leave(connection);
  t.is(intake.heldBytes, 0);
  t.false(request.hold(10));
  request.answer();
  request.end();
  t.deepEqual([intake.heldBytes, intake.connections], [0, 0]);
});

test('an API server gets through to be told that there are too many questions', (t) => {
  for (const maxInFlight of [1, 256, 10_000]) {
    const { connections, connectionsPerPeer } = intakeFor(maxInFlight);
    t.true(connectionsPerPeer >= 512 && connectionsPerPeer >= 2 * maxInFlight);
    t.true(connections >= 4 * connectionsPerPeer);
  }
});

test('however many peers have filled their shares, one that has little is taken in', (t) => {
  const { intake, open } = world({ connections: 256, connectionsPerPeer: 64 });
  for (let round = 0; round < 64; round += 1)
    for (let pod = 0; pod < 20; pod += 1) intake.admit(`pod-${pod}`, NOTHING);
  t.is(intake.connections, 256);
  for (let count = 0; count < 12; count += 1) intake.begin(open('api', `a${count}`)).answer();
  t.is(intake.connections, 256);
  for (let pod = 0; pod < 20; pod += 1) intake.admit(`pod-${pod}`, NOTHING);
  t.is(intake.connections, 256);
});
