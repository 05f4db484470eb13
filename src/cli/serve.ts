/** `hitless serve`: the webhook, until it is asked to stop. */
import { Command } from 'commander'
import { type Cli, examples, ofCluster } from './command.ts'
import type { ServeFlags } from './serve-until-stopped.ts'

export function serveCommand({ io }: Cli): Command {
  return ofCluster(new Command('serve'))
    .description('the webhook: on the cluster of a kubeconfig or of this Pod, or on an embedded one')
    .option('--sandbox <paths...>', 'an embedded cluster from these manifests; admitted writes change it')
    .option('--sandbox-ready-after <seconds>', 'when Pods of an admitted Deployment become Ready', '5')
    .option('--tls-cert <file>', 'certificate of the webhook; self-signed where absent')
    .option('--tls-key <file>', 'its key')
    .option(
      '--webhook-configuration <name>',
      'the ValidatingWebhookConfiguration to keep in order; makes and renews certificates where no file holds one'
    )
    .option('--service <name>', 'the Service by which that configuration reaches this webhook', 'hitless')
    .option('--write-ca <file>', 'where to write the certificate that clients must trust')
    .option('--config <file>', 'the configuration; the options below come before it')
    .option('--host <address>', 'address of the webhook')
    .option('--port <number>', 'port of the webhook')
    .option('--health-host <address>', 'address of probes and metrics')
    .option('--health-port <number>', 'port of probes and metrics')
    .option('--page', 'a page to look at, at /look/ on the port of probes', false)
    .option('--drain <seconds>', 'how long to go on answering after a signal to stop')
    .option('--settle <milliseconds>', 'how long a write is held behind a change that it relies on; 0 holds nothing, "exact" asks istiod')
    .option('--log-level <level>', 'fatal, error, warn, info, debug')
    .addHelpText(
      'after',
      examples(
        'hitless serve --sandbox mesh/ --port 9443 --page',
        'hitless serve --config hitless.yaml --webhook-configuration hitless --service hitless   # as the chart runs it'
      )
    )
    .action(async (options: ServeFlags) => {
      const { serveUntilStopped } = await import('./serve-until-stopped.ts')
      await serveUntilStopped(options, io)
    })
}
