/**
 * Every write that release tools were seen to make, by an id: AR Argo Rollouts, FL Flagger, HE Helm, AC Argo CD, FX Flux, KU kubectl and the like,
 * K what the cluster itself writes, GW the Gateway API. A scenario names the rows that it plays in its comments.
 */
export const ROWS: readonly string[] = [
  ...ids('AR', 'S0 S1 S2 S3 S4 S5 S6 S7 S8 S9 S10 A1 A2 A3 V3a V3b V3c H1 H2 M1 R1 R2 G1 X3 HL1 HL2 HL3 HL4 HL5 PP1 BG1 BG2 W1 W2 W3 W4'),
  ...ids('FL', 'I1 I2 I3 I4 I5 I6 R1 R2 R3 R4 R5 R6 R7 R8 R9 R10 R11 R12 R13 R14 D1 D2'),
  ...ids('HE', '1 2 3 4 5 6 7 8 9 10'),
  ...ids('AC', '1 2 3 4'),
  ...ids('FX', '1 2 3 4 5'),
  ...ids('KU', '1 2 3 4 5 6 7 8'),
  ...ids('K', '1 2 3 4 5 6 7 8 9 10 11 12 13'),
  ...ids('GW', '1 2 3 4 5 6 7')
]

/** Rows that no scenario can play, and where they are tested instead. */
export const NOT_PLAYED: Readonly<Record<string, string>> = {
  'FX-5': 'what Flux does after a refused deletion is its own affair: the refusal is that of K-9',
  'K-12': 'two writes in flight at once: test/admission/concurrent.test.ts, and test/cluster/gaps.test.ts for two replicas',
  'K-13': 'hitless is down: the failurePolicy of the chart, test/chart'
}

/** Refused at least once; where it is not a matter of Pods being Ready, every time. */
export const REFUSED: readonly string[] = [
  ...ids('AR', 'S10 V3c H2 X3 W2'),
  ...ids('HE', '3 4 6 7 10'),
  ...ids('AC', '1 2 3'),
  ...ids('FX', '2 3'),
  ...ids('KU', '3'),
  ...ids('K', '2 6 9 11'),
  ...ids('GW', '3 4 7')
]

/** Admitted while Pods are Ready behind it, refused while none is: both are played. `kubectl apply` of a folder is as each of its writes is. */
export const EITHER: readonly string[] = [...ids('AR', 'S5 W4'), ...ids('FL', 'I3 R13 R14'), ...ids('KU', '1 4 6 7 8')]

/** What Argo Rollouts does to ReplicaSets, and no scenario writes: it sets their Pods. */
export const UNSEEN: readonly string[] = ids('AR', 'S4 A2')

const ROW = /\b(?:AR|FL|HE|AC|FX|KU|K|GW)-[A-Z]*\d+[a-z]?\b/g

/** The rows that the comments of a scenario name. */
export function rowsIn(text: string): string[] {
  return [...new Set(text.split('\n').flatMap(named))]
}

/** The rows that a write belongs to: those of the last comment above it, in its own document, that names any. Lines count from 1. */
export function rowsAt(lines: readonly string[], line: number): string[] {
  for (let at = line - 1; at >= 0 && lines[at] !== '---'; at -= 1) {
    const rows = named(lines[at] ?? '')
    if (rows.length > 0) return rows
  }
  return []
}

function named(line: string): string[] {
  const [, comment = ''] = /#(.*)$/.exec(line) ?? []
  return comment.match(ROW) ?? []
}

function ids(tool: string, numbers: string): string[] {
  return numbers.split(' ').map((number) => `${tool}-${number}`)
}
