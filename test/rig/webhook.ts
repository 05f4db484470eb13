import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { load } from 'js-yaml'
import type { Api } from './api.ts'

const CONFIGURATIONS = '/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations'
const PROBE_LABEL = 'hitless.io/probe'

export interface WebhookRule {
  readonly apiGroups: readonly string[]
  readonly apiVersions: readonly string[]
  readonly resources: readonly string[]
  readonly operations: readonly ('CREATE' | 'UPDATE' | 'DELETE' | 'CONNECT' | '*')[]
}

/** The webhooks of the chart, by its own file. */
export function chartWebhooks(): readonly { readonly name: string; readonly rules: readonly WebhookRule[] }[] {
  return load(readFileSync(join(import.meta.dirname, '../../charts/hitless/webhooks.yaml'), 'utf8')) as ReturnType<typeof chartWebhooks>
}

/** A webhook as the test wants it called; further fields of the Kubernetes type (selectors, matchConditions) are taken as they are. */
export interface WebhookRegistration {
  readonly name?: string
  readonly url: string
  /** PEM. */
  readonly caBundle: string
  readonly rules?: readonly WebhookRule[]
  readonly failurePolicy?: 'Fail' | 'Ignore'
  readonly timeoutSeconds?: number
  readonly more?: Readonly<Record<string, unknown>>
}

/** Every write that hitless judges, as the chart has the API server ask about them, but without the chart's conditions. */
export const JUDGED_WRITES: readonly WebhookRule[] = chartWebhooks()
  .filter(({ name }) => name !== 'probe.hitless.io')
  .flatMap(({ rules }) => rules)

/**
 * Registers the webhook, replacing one of the same name, and resolves when the API server calls it: from then on no write slips past.
 * The returned function takes it away and resolves when the API server has stopped calling it.
 */
export async function registerWebhook(api: Api, registration: WebhookRegistration): Promise<() => Promise<void>> {
  const { name = 'hitless' } = registration
  const probe = randomUUID()
  const body = configuration(name, registration, probe)
  const path = `${CONFIGURATIONS}/${name}?fieldManager=test-rig&force=true`
  const { status, body: answer } = await api.request('PATCH', path, { body, contentType: 'application/apply-patch+yaml' })
  if (status >= 300) throw new Error(`webhook ${name} was not registered: ${status} ${JSON.stringify(answer)}`)
  await probeUntil(api, probe, 'refused')
  return async () => {
    await api.request('DELETE', `${CONFIGURATIONS}/${name}`)
    await probeUntil(api, probe, 'admitted')
  }
}

function configuration(name: string, registration: WebhookRegistration, probe: string): unknown {
  const { url, caBundle, rules = JUDGED_WRITES, failurePolicy = 'Fail', timeoutSeconds = 5, more = {} } = registration
  const shared = { admissionReviewVersions: ['v1'], sideEffects: 'None' }
  return {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'ValidatingWebhookConfiguration',
    metadata: { name },
    webhooks: [
      {
        ...shared,
        name: `${name}.hitless.io`,
        clientConfig: { url, caBundle: Buffer.from(caBundle).toString('base64') },
        rules,
        failurePolicy,
        timeoutSeconds,
        ...more
      },
      // The API server takes a configuration into use as a whole, some 100 ms after the write, and says nowhere when. So a second
      // webhook in it, on a port where nothing listens, refuses one labelled ConfigMap: once that is refused, both are in use.
      {
        ...shared,
        name: 'probe.hitless.io',
        clientConfig: { url: 'https://127.0.0.1:1/' },
        rules: [{ apiGroups: [''], apiVersions: ['v1'], resources: ['configmaps'], operations: ['CREATE'] }],
        objectSelector: { matchLabels: { [PROBE_LABEL]: probe } },
        failurePolicy: 'Fail',
        timeoutSeconds: 1
      }
    ]
  }
}

async function probeUntil(api: Api, probe: string, wanted: 'refused' | 'admitted'): Promise<void> {
  const body = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { generateName: 'probe-', labels: { [PROBE_LABEL]: probe } } }
  for (;;) {
    const { status } = await api.request('POST', '/api/v1/namespaces/default/configmaps?dryRun=All', { body })
    if ((status === 201) === (wanted === 'admitted')) return
    await sleep(20)
  }
}
