/** Runs command lines in this process, as main does in its own. */
import { join } from 'node:path'
import { run } from '../../src/cli/program.ts'
import type { Io } from '../../src/output/io.ts'

export const EXAMPLES = join(import.meta.dirname, '..', '..', 'examples', 'helloworld')
export const WORLD = join(EXAMPLES, 'world')

/** Requests without the header get 404, those with it 503, and the Service names a version. */
export const BROKEN = `
apiVersion: v1
kind: Service
metadata: {name: reviews, namespace: prod}
spec: {selector: {app: reviews, version: v1}, ports: [{name: http, port: 80}]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews, namespace: prod}
spec:
  hosts: [reviews]
  http:
  - match: [{headers: {end-user: {exact: jason}}}]
    route:
    - destination: {host: reviews, subset: v2}
`

export interface Outcome {
  readonly exit: number
  readonly out: string
  readonly err: string
}

export interface Surroundings {
  readonly stdin?: string
  readonly colour?: boolean
  readonly columns?: number
  readonly signal?: AbortSignal
  readonly onOut?: (text: string) => void
  readonly env?: Io['env']
  readonly status?: Io['status']
}

/** The numbered folder of the example's release. */
export function step(name: string): string {
  return join(EXAMPLES, 'release', name)
}

export async function hitless(
  args: readonly string[],
  { stdin = '', colour = false, columns = Number.POSITIVE_INFINITY, signal, onOut, env = {}, status = null }: Surroundings = {}
): Promise<Outcome> {
  const out: string[] = []
  const err: string[] = []
  const given: Io = {
    out: (text) => {
      out.push(text)
      onOut?.(text)
    },
    err: (text) => err.push(text),
    stdin: () => stdin,
    writeFile: () => undefined,
    colour,
    columns,
    status,
    env,
    nowMs: Date.now,
    busyMs: performance.now.bind(performance),
    version: '1.2.3',
    signal: signal ?? new AbortController().signal
  }
  const exit = await run(args, given, EXAMPLES)
  return { exit, out: out.join(''), err: err.join('') }
}
