/** The ValidatingWebhookConfiguration that has the API server call hitless: whom it trusts, and what becomes of writes where nobody answers. */
import { Fields } from '../kinds/fields.ts'
import { ApiError, type Connection } from './connection.ts'
import { type FieldOwner, fieldOwners } from './field-owners.ts'
import { LineSplitter } from './lines.ts'

/** On the configuration: the webhooks, by name and separated by commas, that are to be `Fail` once refusals are proven to arrive. */
export const FAIL_WHEN_PROVEN = 'hitless.io/fail-when-proven'

/** On the configuration: the bundles are hitless' to publish. Without it they are somebody else's, and left alone. */
export const PUBLISHES = 'hitless.io/publishes-authority'

/** On the configuration: hitless may look at it, and writes nothing of it. */
export const HANDS_OFF = 'hitless.io/hands-off'

/** On the configuration: until when webhooks that somebody made `Ignore` by hand stay so. Written by hitless; who sets another time is obeyed. */
export const IGNORE_UNTIL = 'hitless.io/ignore-until'

const PATH = '/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations'
/** Longer than anybody waits for a change. */
const WATCH_SECONDS = 60
const MANAGER = { fieldManager: 'hitless', force: true }
/** Whose writes are made by hand, however much they change. Others are tools, which write the rules of a webhook together with its policy. */
const HANDS = ['kubectl-edit', 'kubectl-patch']

/** The object with which the API server's garbage collector removes the configuration. */
export interface Owner {
  readonly apiVersion: string
  readonly kind: string
  readonly name: string
  readonly uid: string
}

export interface ReadConfiguration {
  /** PEM of the authorities trusted behind each webhook; '' where none is. */
  readonly bundles: readonly string[]
  /** Whether hitless is to publish them. */
  readonly isOurs: boolean
  readonly isHandsOff: boolean
  /** Webhooks that are `Ignore` and are to be `Fail`. */
  readonly lenient: readonly string[]
  /** Those of them that somebody made so by hand, and when the last of them. */
  readonly byHand: { readonly names: readonly string[]; readonly sinceMs: number }
  /** What `hitless.io/ignore-until` says; null where it says no time. */
  readonly ignoreUntilMs: number | null
  /** Something of an earlier write of ours is to be given up: policies after a raise that was interrupted, or a time that no longer matters. */
  readonly holds: boolean
  /** The uids of those with whom it is removed. */
  readonly owners: readonly string[]
  readonly version: string
}

interface Webhook {
  readonly name: string
  readonly bundle: string
  readonly failurePolicy: string
  readonly ownsBundle: boolean
}

export class WebhookConfiguration {
  readonly #connection: Connection
  readonly #name: string
  #webhooks: readonly Webhook[] = []
  /** What our field manager would give up by not applying it again. */
  #owners: readonly Owner[] = []

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
    const lines = new LineSplitter([])
    for await (const chunk of await this.#connection.request(PATH, query, signal)) {
      for (const line of lines.push(chunk)) if (typeof line !== 'string' || versionOf(line) !== version) return
    }
  }

  /** Has the API server trust a bundle. False, here and below, where the configuration is no longer what was read as `version`. */
  async publish(bundle: string, version: string, signal: AbortSignal): Promise<boolean> {
    const caBundle = Buffer.from(bundle).toString('base64')
    return unlessChanged(() => this.#apply(version, ({ name }) => ({ name, clientConfig: { caBundle } }), signal))
  }

  /**
   * Makes webhooks `Fail`, and gives up what the field manager holds of earlier writes.
   *
   * The second write takes the field back out of what this field manager applies, and the API server's default takes its place: `Fail`.
   * So it belongs to nobody, and Helm, which applies the manifest of a first install again on a rollback, meets no conflict.
   */
  async raise(names: readonly string[], version: string, signal: AbortSignal): Promise<boolean> {
    const failing = (webhook: Webhook) => ({ ...kept(webhook), ...(names.includes(webhook.name) ? { failurePolicy: 'Fail' } : {}) })
    return unlessChanged(async () => {
      const raised = this.#parse(await this.#apply(version, failing, signal))
      await this.#apply(raised.version, kept, signal)
    })
  }

  /** Says until when webhooks that somebody made `Ignore` by hand stay so. */
  async ignoreUntil(time: string, version: string, signal: AbortSignal): Promise<boolean> {
    return unlessChanged(() => this.#apply(version, kept, signal, { annotations: { [IGNORE_UNTIL]: time } }))
  }

  /** Has the configuration removed together with another object. */
  async ownedBy(owner: Owner, version: string, signal: AbortSignal): Promise<boolean> {
    return unlessChanged(() => this.#apply(version, kept, signal, { ownerReferences: [...this.#owners, owner] }))
  }

  /** Makes every webhook `Ignore`: from now on nobody waits for an answer. */
  async lower(version: string, signal: AbortSignal): Promise<boolean> {
    return unlessChanged(() => this.#apply(version, (webhook) => ({ ...kept(webhook), failurePolicy: 'Ignore' }), signal))
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
  #apply(resourceVersion: string, part: (webhook: Webhook) => unknown, signal: AbortSignal, more: object = {}): Promise<unknown> {
    const configuration = {
      apiVersion: 'admissionregistration.k8s.io/v1',
      kind: 'ValidatingWebhookConfiguration',
      metadata: { name: this.#name, resourceVersion, ownerReferences: this.#owners, ...more },
      webhooks: this.#webhooks.map(part)
    }
    return this.#connection.apply(`${PATH}/${this.#name}`, configuration, MANAGER, signal)
  }

  #parse(raw: unknown): ReadConfiguration {
    const fields = new Fields(raw)
    const metadata = fields.child('metadata') ?? new Fields({})
    const managers = fieldOwners(metadata)
    const isOurs = (...path: string[]) => managers.some(({ manager, owns }) => manager === MANAGER.fieldManager && owns(...path))
    this.#webhooks = fields.each('webhooks', (webhook) => {
      const name = webhook.string('name')
      return {
        name,
        bundle: Buffer.from(webhook.child('clientConfig')?.string('caBundle') ?? '', 'base64').toString('utf8'),
        failurePolicy: webhook.string('failurePolicy'),
        ownsBundle: isOurs(...pathOf(name), 'f:clientConfig', 'f:caBundle')
      }
    })
    const owners = metadata.each('ownerReferences', ownerOf)
    this.#owners = owners.filter(({ uid }) => isOurs('f:metadata', 'f:ownerReferences', `k:${JSON.stringify({ uid })}`))
    const annotations = new Map(Object.entries(metadata.labels('annotations')))
    const wanted = annotations.get(FAIL_WHEN_PROVEN)?.split(',') ?? []
    const lenient = this.#webhooks.filter(({ name, failurePolicy }) => failurePolicy === 'Ignore' && wanted.includes(name))
    const byHand = lenient.flatMap(({ name }) => {
      const hand = managers.find((each) => isByHand(each, name))
      return hand === undefined ? [] : [{ name, sinceMs: hand.writtenAtMs }]
    })
    const untilMs = Date.parse(annotations.get(IGNORE_UNTIL) ?? '')
    return {
      bundles: this.#webhooks.map(({ bundle }) => bundle),
      isOurs: annotations.get(PUBLISHES) === 'true',
      isHandsOff: annotations.get(HANDS_OFF) === 'true',
      lenient: lenient.map(({ name }) => name),
      byHand: { names: byHand.map(({ name }) => name), sinceMs: Math.max(0, ...byHand.map(({ sinceMs }) => sinceMs)) },
      ignoreUntilMs: Number.isNaN(untilMs) ? null : untilMs,
      holds:
        this.#webhooks.some(({ name }) => isOurs(...pathOf(name), 'f:failurePolicy')) ||
        (byHand.length === 0 && isOurs('f:metadata', 'f:annotations', `f:${IGNORE_UNTIL}`)),
      owners: owners.map(({ uid }) => uid),
      version: metadata.string('resourceVersion')
    }
  }
}

/** What stays as it is, of what our field manager has written. */
function kept({ name, bundle, ownsBundle }: Webhook): object {
  return { name, ...(ownsBundle ? { clientConfig: { caBundle: Buffer.from(bundle).toString('base64') } } : {}) }
}

/** Whether somebody set the policy of a webhook alone, without the rules that a tool writes with it. */
function isByHand({ manager, owns }: FieldOwner, webhook: string): boolean {
  if (manager === MANAGER.fieldManager || !owns(...pathOf(webhook), 'f:failurePolicy')) return false
  return HANDS.includes(manager) || !owns(...pathOf(webhook), 'f:rules')
}

function pathOf(webhook: string): [string, string] {
  return ['f:webhooks', `k:${JSON.stringify({ name: webhook })}`]
}

function ownerOf(reference: Fields): Owner {
  const text = (key: keyof Owner) => reference.string(key)
  return { apiVersion: text('apiVersion'), kind: text('kind'), name: text('name'), uid: text('uid') }
}

/** The version that an event of a watch leaves behind; null where that is none. */
function versionOf(line: string): string | null {
  const event = new Fields(JSON.parse(line))
  const type = event.string('type')
  if (type === 'ERROR') throw new Error(event.child('object')?.string('message'))
  return type === 'DELETED' ? null : (event.child('object')?.child('metadata')?.string('resourceVersion') ?? null)
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
