// SPDX-License-Identifier: Apache-2.0
// `npm run cluster -- up|down|status|kubeconfig [--name NAME] [--until PID]`: a cluster to work with by hand, which
// stays until `down`.
import { parseArgs } from 'node:util';
import { formatStatus } from './format-status.ts';
import { downNamedCluster, findNamedCluster, readStatus, upNamedCluster } from './named-cluster.ts';

const usage = `usage: npm run cluster -- <command> [--name NAME]

  up          start a cluster in the background, or what has ended of it; print the path of its kubeconfig
  down        stop it and remove its data
  status      tell what runs: components, pids, version, age
  kubeconfig  print the path of its kubeconfig

  --name NAME  which one, when there are several (default: default)
  --until PID  up: what is started ends when the process PID is gone, if not before (default: it stays until down)
`;

type Command = (name: string, untilPid: number | undefined) => Promise<number>;

const commands: Readonly<Record<string, Command>> = {
  up: async (name, untilPid) => {
    const { description, started, restarted } = await upNamedCluster(name, untilPid);
    if (restarted.length > 0) console.error(`Had ended, and runs again: ${restarted.join(', ')}`);
    console.error(`Cluster ${name} ${started ? 'is ready' : 'runs already'}. Use it with`);
    console.error(`  export KUBECONFIG=${description.kubeconfigPath}`);
    console.log(description.kubeconfigPath);
    return 0;
  },
  down: async (name) => {
    const stopped = await downNamedCluster(name);
    console.error(stopped ? `Cluster ${name} is stopped.` : `Cluster ${name} does not run.`);
    return 0;
  },
  status: async (name) => {
    const status = await readStatus(name);
    console.log(status === undefined ? `Cluster ${name} does not run.` : formatStatus(status, new Date()));
    return status === undefined ? 1 : 0;
  },
  kubeconfig: async (name) => {
    const description = await findNamedCluster(name);
    if (description === undefined) {
      console.error(`Cluster ${name} does not run. Start it with: npm run cluster -- up --name ${name}`);
      return 1;
    }
    console.log(description.kubeconfigPath);
    return 0;
  },
};

function pidOf(text: string): number {
  if (!/^[1-9]\d{0,9}$/.test(text))
    throw new Error(`--until: found ${text}; allowed is the number of a process`);
  return Number(text);
}

async function main(): Promise<number> {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: {
      name: { type: 'string', default: 'default' },
      until: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  const command = commands[positionals[0] ?? ''];
  if (command === undefined || values.help || positionals.length !== 1) {
    console.error(usage);
    return values.help ? 0 : 2;
  }
  return command(values.name, values.until === undefined ? undefined : pidOf(values.until));
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
