// SPDX-License-Identifier: Apache-2.0

/** Writes a line for people who look at why an attempt takes its time: never what was said to the agent, or by it. */
export type Log = (message: string, fields?: object) => void;

/** Lines of JSON on standard output. */
export const logLines: Log = (message, fields = {}) => {
  const line = { level: 'info', time: new Date().toISOString(), ...fields, msg: message };
  process.stdout.write(`${JSON.stringify(line)}\n`);
};
