/** `hitless prove`: what the chart's test runs beside the webhook. */
import { Command } from 'commander'
import { type SourceFlags, sourceOf } from './cluster-source.ts'
import { type Cli, examples, ofCluster } from './command.ts'

export function proveCommand({ io, done }: Cli): Command {
  return ofCluster(new Command('prove'))
    .description('see that refusals arrive: a dry run that hitless must refuse, by way of the API server')
    .addHelpText('after', examples('hitless prove --context prod'))
    .action(async (flags: SourceFlags) => {
      const { prove } = await import('../webhook/registration.ts')
      done(await prove(sourceOf(flags, io.env), io))
    })
}
