/** `hitless withdraw`: what the chart runs before it is uninstalled. */
import { Command } from 'commander'
import { type SourceFlags, sourceOf } from './cluster-source.ts'
import { type Cli, examples, ofCluster } from './command.ts'

export function withdrawCommand({ io, done }: Cli): Command {
  return ofCluster(new Command('withdraw'))
    .description('delete the webhook configuration, so that the API server asks hitless no more')
    .requiredOption('--webhook-configuration <name>', 'its name')
    .addHelpText('after', examples('hitless withdraw --webhook-configuration hitless'))
    .action(async (flags: SourceFlags & { webhookConfiguration: string }) => {
      const { withdraw } = await import('../webhook/registration.ts')
      done(await withdraw(sourceOf(flags, io.env), flags.webhookConfiguration, io))
    })
}
