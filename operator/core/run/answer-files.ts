// SPDX-License-Identifier: Apache-2.0
import type { Run } from './run.ts';

/** What a container is given that goes on after its questions were answered. */
export interface Answered {
  /** Files by name, which are keys of the ConfigMap of the attempt as well. */
  readonly files: Readonly<Record<string, string>>;
  /** Variables that name files, by the name of the file. */
  readonly paths: Readonly<Record<string, string>>;
  /** Variables, by their names. */
  readonly values: Readonly<Record<string, string>>;
}

const NOTHING: Answered = { files: {}, paths: {}, values: {} };
/** The last answer, all of them, and what the container wanted kept. */
const FILES = { answer: 'answer', answers: 'answers.json', state: 'state' } as const;

/** What the attempts of a Run are given after its last question was answered, retries of them included. Nothing before. */
export function answeredOf({ spec, status }: Run): Answered {
  const { number, answeredAt, state, stateUri } = status?.question ?? {};
  const last = number === undefined ? undefined : spec.answers?.[number];
  if (answeredAt === undefined || last === undefined) return NOTHING;
  const hasState = state !== undefined;
  return {
    files: {
      [FILES.answer]: last.text,
      [FILES.answers]: JSON.stringify(spec.answers),
      ...(hasState && { [FILES.state]: state }),
    },
    paths: {
      NEXUSOS_ANSWER_FILE: FILES.answer,
      NEXUSOS_ANSWERS_FILE: FILES.answers,
      ...(hasState && { NEXUSOS_STATE_FILE: FILES.state }),
    },
    values: stateUri === undefined ? {} : { NEXUSOS_STATE_URI: stateUri },
  };
}
