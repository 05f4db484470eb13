/** What a request gets, for machines. */

import { formatPath } from '../mesh/names/path.ts'
import type { Answer } from '../mesh/requests/serve.ts'
import { isAnswered } from '../mesh/requests/serve.ts'
import type { Snapshot } from '../mesh/snapshot/snapshot.ts'
import type { Way } from './answer.ts'
import { type SourceJson, sourceJson } from './source-json.ts'

export interface AnswerJson {
  readonly status: Answer['status']
  /** 0..1 of such requests; null where nobody can know. */
  readonly answered: number | null
  readonly cause: Answer['cause']
  readonly takenBy: WayJson | null
  readonly passed: readonly (WayJson & { readonly unmet: Answer['passed'][number]['unmet'] })[]
  readonly destinations: readonly {
    readonly host: string
    readonly port: number
    readonly subset: string | null
    readonly share: number
    readonly ready: number | null
    readonly missing: string | null
    readonly answered: boolean
  }[]
}

interface WayJson extends SourceJson {
  readonly path: string
}

export function answerJson(snapshot: Snapshot, answer: Answer): AnswerJson {
  const { status, unserved, cause, route, chain, passed, destinations } = answer
  const way = route ?? chain
  return {
    status,
    answered: unserved === null ? null : rounded(1 - unserved),
    cause,
    takenBy: way === null ? null : wayJson(way),
    passed: passed.map(({ route: earlier, unmet }) => ({ ...wayJson(earlier), unmet })),
    destinations: destinations.map((destination) => {
      const { host, port, subset, share, ready, missing } = destination
      return { host, port, subset, share: rounded(share), ready, missing, answered: isAnswered(snapshot, destination) }
    })
  }
}

function wayJson({ source, path }: Way): WayJson {
  return { ...sourceJson(source), path: formatPath(path) }
}

function rounded(share: number): number {
  return Math.round(share * 1e6) / 1e6
}
