/** A second validating webhook, as istiod's is: asked at the same time as hitless, it refuses what the test wants, or keeps the API server waiting. */
import { once } from 'node:events'
import https from 'node:https'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'
import type { ControlPlane } from '../rig/control-plane.ts'
import { KEEP_ALIVE_MS } from '../rig/turns.ts'

/** What becomes of the next review: `keep` answers nothing, until the API server has gone. */
export type Fate = 'admit' | 'refuse' | 'keep'

export interface OtherWebhook {
  fate: Fate
  /** Resolves when the API server waits for a review that is kept. */
  asked(): Promise<unknown>
  /** Resolves when it no longer does. */
  left(): Promise<unknown>
  stop(): void
}

/** Its words in a refusal. */
export const REFUSAL = 'another webhook says no'

export async function startOtherWebhook(plane: ControlPlane): Promise<OtherWebhook> {
  let asked = Promise.withResolvers<void>()
  let left = Promise.withResolvers<void>()
  const other: OtherWebhook = {
    fate: 'admit',
    asked: () => asked.promise,
    left: () => left.promise,
    stop() {
      server.closeAllConnections()
      server.close()
    }
  }
  const server = https.createServer({ ...plane.certificate, keepAliveTimeout: KEEP_ALIVE_MS }, async (request, response) => {
    const { uid } = ((await json(request)) as { request: { uid: string } }).request
    const { fate } = other
    if (fate === 'keep') {
      const gone = left
      response.once('close', () => {
        gone.resolve()
        asked = Promise.withResolvers()
        left = Promise.withResolvers()
      })
      asked.resolve()
      return
    }
    const answer = { uid, allowed: fate === 'admit', status: { code: 403, message: REFUSAL } }
    response
      .setHeader('content-type', 'application/json')
      .end(JSON.stringify({ apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', response: answer }))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}/validate`
  await plane.registerWebhook({ name: 'other', url, caBundle: plane.ca, timeoutSeconds: 10 })
  return other
}
