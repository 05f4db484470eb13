/** The ValidatingWebhookConfiguration that has the API server call hitless: whom it trusts, and what becomes of writes where nobody answers. */
import { Fields, isRecord } from '../kinds/fields.ts'
import { ApiError, type Connection } from './connection.ts'
import { LineSplitter } from './lines.ts'

/** On the configuration: the webhooks, by name and separated by commas, that are to be `Fail` once refusals are proven to arrive. */
export const FAIL_WHEN_PROVEN = 'hitless.io/fail-when-proven'

/** On the configuration: the bundles are hitless' to publish. Without it they are somebody else's, and left alone. */
export const PUBLISHES = 'hitless.io/publishes-authority'

const PATH = '/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations'
/** Longer than anybody waits for a change. */
const WATCH_SECONDS = 60
const MANAGER = { fieldManager: 'hitless', force: true }

export interface ReadConfiguration {
  /** PEM of the authorities trusted behind each webhook; '' where none is. */
  readonly bundles: readonly string[]
  /** Whether hitless is to publish them. */
  readonly isOurs: boolean
  /** Webhooks that are `Ignore` and are to be `Fail`. */
  readonly lenient: readonly string[]
  /** A raise was interrupted half-way: policies belong to our field manager still. */
  readonly holdsPolicy: boolean
  readonly version: string
}

interface Webhook {
  readonly name: string
  readonly bundle: string
  readonly failurePolicy: string
}

export class WebhookConfiguration {
  readonly #connection: Connection
  readonly #name: string
  #webhooks: readonly Webhook[] = []

  constructor(connection: Connection, name: string) {
    this.#connection = connection
    this.#name = name
  }

  /** Null where there is none: nobody asks for reviews. */
  async read(signal: AbortSignal): Promise<ReadConfiguration | null> {
    const found = await this.#connection.find(`${PATH}/${this.#name}`, signal)
    return found === null ? null : this.#parse(found)
  }

  /** Resolves when it is no longer what was read as `version` (null: absent). Rejects where that cannot be followed. */
  async changed(version: string | null, signal: AbortSignal): Promise<void> {
    // By name, so that RBAC can allow this one alone; and from what is there now, since an old version may be known no longer.
    const query = { watch: true, fieldSelector: `metadata.name=${this.#name}`, timeoutSeconds: WATCH_SECONDS }
    const lines = new LineSplitter()
    for await (const chunk of await this.#connection.request(PATH, query, signal)) {
      for (const line of lines.push(chunk)) if (versionOf(line) !== version) return
    }
  }

  /** Has the API server trust a bundle. False where the configuration is no longer what was read as `version`. */
  async publish(bundle: string, version: string, signal: AbortSignal): Promise<boolean> {
    const caBundle = Buffer.from(bundle).toString('base64')
    return unlessChanged(() => this.#apply(version, ({ name }) => ({ name, clientConfig: { caBundle } }), signal))
  }

  /**
   * Makes webhooks `Fail`. False where the configuration is no longer what was read as `version`.
   *
   * The second write takes the field back out of what this field manager applies, and the API server's default takes its place: `Fail`.
   * So it belongs to nobody, and Helm, which applies the manifest of a first install again on a rollback, meets no conflict.
   */
  async raise(names: readonly string[], version: string, publishes: boolean, signal: AbortSignal): Promise<boolean> {
    const own = ({ name, bundle }: Webhook) => ({
      name,
      ...(publishes ? { clientConfig: { caBundle: Buffer.from(bundle).toString('base64') } } : {})
    })
    const failing = (webhook: Webhook) => ({ ...own(webhook), ...(names.includes(webhook.name) ? { failurePolicy: 'Fail' } : {}) })
    return unlessChanged(async () => {
      const raised = this.#parse(await this.#apply(version, failing, signal))
      await this.#apply(raised.version, own, signal)
    })
  }

  /** Has nobody asked for reviews any more. */
  async remove(signal: AbortSignal): Promise<void> {
    try {
      await this.#connection.send('DELETE', `${PATH}/${this.#name}`, { apiVersion: 'v1', kind: 'DeleteOptions' }, signal)
    } catch (error) {
      if (!(error instanceof ApiError && error.status === 404)) throw error
    }
  }

  /** Applies a part of each webhook: of those that are there, since another name would be taken for a new webhook. */
  #apply(resourceVersion: string, part: (webhook: Webhook) => unknown, signal: AbortSignal): Promise<unknown> {
    const configuration = {
      apiVersion: 'admissionregistration.k8s.io/v1',
      kind: 'ValidatingWebhookConfiguration',
      metadata: { name: this.#name, resourceVersion },
      webhooks: this.#webhooks.map(part)
    }
    return this.#connection.apply(`${PATH}/${this.#name}`, configuration, MANAGER, signal)
  }

  #parse(raw: unknown): ReadConfiguration {
    const fields = new Fields(raw)
    const metadata = fields.child('metadata') ?? new Fields({})
    this.#webhooks = fields.children('webhooks').map((webhook) => ({
      name: webhook.string('name'),
      bundle: Buffer.from(webhook.child('clientConfig')?.string('caBundle') ?? '', 'base64').toString('utf8'),
      failurePolicy: webhook.string('failurePolicy')
    }))
    const annotations = metadata.labels('annotations')
    const wanted = annotations[FAIL_WHEN_PROVEN]?.split(',') ?? []
    const lenient = this.#webhooks.filter(({ name, failurePolicy }) => failurePolicy === 'Ignore' && wanted.includes(name))
    return {
      bundles: this.#webhooks.map(({ bundle }) => bundle),
      isOurs: annotations[PUBLISHES] === 'true',
      lenient: lenient.map(({ name }) => name),
      holdsPolicy: managedBy(raw).includes('"f:failurePolicy"'),
      version: metadata.string('resourceVersion')
    }
  }
}

/** The version that an event of a watch leaves behind; null where that is none. */
function versionOf(line: string): string | null {
  const event = new Fields(JSON.parse(line))
  const type = event.string('type')
  if (type === 'ERROR') throw new Error(event.child('object')?.string('message'))
  return type === 'DELETED' ? null : (event.child('object')?.child('metadata')?.string('resourceVersion') ?? null)
}

/** The fields of ours, as JSON. */
function managedBy(raw: unknown): string {
  const metadata = isRecord(raw) ? raw['metadata'] : null
  const entries = isRecord(metadata) && Array.isArray(metadata['managedFields']) ? metadata['managedFields'] : []
  return JSON.stringify(entries.filter((entry) => isRecord(entry) && entry['manager'] === MANAGER.fieldManager))
}

async function unlessChanged(write: () => Promise<unknown>): Promise<boolean> {
  try {
    await write()
    return true
  } catch (error) {
    if (error instanceof ApiError && error.status === 409) return false
    throw error
  }
}
