/** Secrets, read in files alone, and of them only whether they hold a key pair: what is in them is not kept. */
import type { Identity } from './identity.ts'
import { defineKind } from './kind.ts'

export interface Secret extends Identity {
  readonly kind: 'Secret'
  readonly isKeyPair: boolean
}

export const secrets = defineKind<Secret, never>({
  kind: 'Secret',
  api: { group: '', versions: ['v1'], plural: 'secrets', namespaced: true },
  watched: false,
  parse: ({ fields }, identity) => {
    const data = fields.child('data')
    const written = fields.child('stringData')
    const text = (key: string) => written?.string(key) || decode(data?.string(key) ?? '')
    const holds = (names: readonly string[], what: RegExp) => names.some((name) => what.test(text(name)))
    return {
      kind: 'Secret',
      ...identity,
      isKeyPair:
        holds(['tls.crt', 'cert'], /-----BEGIN CERTIFICATE-----/) && holds(['tls.key', 'key'], /-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----/)
    }
  },
  indexes: {}
})

function decode(base64: string): string {
  try {
    return atob(base64)
  } catch {
    return '' // no base64: the API server would not have it
  }
}
