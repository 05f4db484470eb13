/** The chart, rendered by the real Helm. */
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { loadAll } from 'js-yaml'
import { installHelm } from '../rig/binaries.ts'

export const CHART = fileURLToPath(new URL('../../charts/hitless', import.meta.url))

export interface Rendered {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly annotations?: Readonly<Record<string, string>> }
  readonly [field: string]: unknown
}

export interface HelmResult {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** Runs Helm; resolves with any exit code. */
export async function helm(...args: string[]): Promise<HelmResult> {
  const path = await installHelm()
  return new Promise((resolve) => {
    execFile(path, args, { maxBuffer: 16 * 1024 * 1024 }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code ?? -1), stdout, stderr })
    })
  })
}

/** The objects of a release `hitless` in `hitless-system`. Throws with Helm's words where the values are refused. */
export async function rendered(...args: string[]): Promise<Rendered[]> {
  const { code, stdout, stderr } = await helm('template', 'hitless', CHART, '--namespace', 'hitless-system', ...args)
  if (code !== 0) throw new Error(stderr)
  return (loadAll(stdout) as (Rendered | null)[]).filter((object) => object !== null)
}
