/** `hitless prove` and `hitless withdraw`: what the chart's test and its pre-delete hook run beside the webhook. */
import { PROBE_LABEL } from '../admission/probe.ts'
import type { ClusterSource } from '../kubernetes/credentials.ts'
import { prove as proveRefusal } from '../kubernetes/prove.ts'
import { WebhookConfiguration } from '../kubernetes/webhook-configuration.ts'
import { withConnection } from '../kubernetes/with-connection.ts'
import { EXIT, type Io } from '../output/io.ts'

const REQUEST_MS = 15_000

/** Gives 0 where a write that hitless must refuse was refused by it, 1 where not. */
export function prove(source: ClusterSource, io: Io): Promise<number> {
  return withConnection(source, async (connection) => {
    const reason = await proveRefusal(connection, PROBE_LABEL, AbortSignal.timeout(REQUEST_MS))
    io.out(reason === null ? 'hitless refused a write that it must refuse\n' : `no refusal arrived: ${reason}\n`)
    return reason === null ? EXIT.ok : EXIT.denied
  })
}

/** Has the API server ask hitless no more. */
export function withdraw(source: ClusterSource, configuration: string, io: Io): Promise<number> {
  return withConnection(source, async (connection) => {
    await new WebhookConfiguration(connection, configuration).remove(AbortSignal.timeout(REQUEST_MS))
    io.out(`webhook configuration ${configuration} is gone: hitless is asked no more\n`)
    return EXIT.ok
  })
}
