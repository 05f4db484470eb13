/** Somebody who writes to the mesh all the time, and minds every write that fails. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Api } from '../rig/api.ts'

const EVERY_MS = 50

export interface Writer {
  /** How many writes were made since the last call, and the words of those that failed. */
  take(): { made: number; failures: string[] }
  stop(): Promise<void>
}

/** Changes a field of a VirtualService that no rule minds, again and again. */
export function startWriter(api: Api, path: string): Writer {
  const ended = new AbortController()
  let made = 0
  let failures: string[] = []
  const write = async (at: number) => {
    const body = { spec: { http: [{ name: `write-${at}`, route: [{ destination: { host: 'helloworld', subset: 'v1' } }] }] } }
    const { status, body: answer } = await api.request<{ message?: string }>('PATCH', path, {
      body,
      contentType: 'application/merge-patch+json'
    })
    made += 1
    if (status !== 200) failures.push(`${status} ${answer.message}`)
  }
  const run = async () => {
    for (let at = 0; !ended.signal.aborted; at += 1) {
      await write(at)
      await sleep(EVERY_MS)
    }
  }
  const running = run()
  return {
    take: () => {
      const taken = { made, failures }
      made = 0
      failures = []
      return taken
    },
    stop: () => {
      ended.abort()
      return running
    }
  }
}
