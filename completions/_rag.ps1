
using namespace System.Management.Automation
using namespace System.Management.Automation.Language

Register-ArgumentCompleter -Native -CommandName 'rag' -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)

    $commandElements = $commandAst.CommandElements
    $command = @(
        'rag'
        for ($i = 1; $i -lt $commandElements.Count; $i++) {
            $element = $commandElements[$i]
            if ($element -isnot [StringConstantExpressionAst] -or
                $element.StringConstantType -ne [StringConstantType]::BareWord -or
                $element.Value.StartsWith('-') -or
                $element.Value -eq $wordToComplete) {
                break
        }
        $element.Value
    }) -join ';'

    $completions = @(switch ($command) {
        'rag' {
            [CompletionResult]::new('--data-dir', '--data-dir', [CompletionResultType]::ParameterName, 'Folder for models, indexes and caches [default: data]')
            [CompletionResult]::new('--index', '--index', [CompletionResultType]::ParameterName, 'Index to use [default: default]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colors')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as JSON')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print more detail')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print more detail')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('ingest', 'ingest', [CompletionResultType]::ParameterValue, 'Index folders or update their index')
            [CompletionResult]::new('jobs', 'jobs', [CompletionResultType]::ParameterValue, 'List, follow, cancel, retry and run jobs')
            [CompletionResult]::new('search', 'search', [CompletionResultType]::ParameterValue, 'Rank the passages that match a question')
            [CompletionResult]::new('ask', 'ask', [CompletionResultType]::ParameterValue, 'Answer a question from the index, with citations')
            [CompletionResult]::new('chat', 'chat', [CompletionResultType]::ParameterValue, 'Ask questions interactively')
            [CompletionResult]::new('open', 'open', [CompletionResultType]::ParameterValue, 'Open a source of the last answer or search')
            [CompletionResult]::new('show', 'show', [CompletionResultType]::ParameterValue, 'Show a passage and what is around it')
            [CompletionResult]::new('sessions', 'sessions', [CompletionResultType]::ParameterValue, 'List, show, export and remove conversations')
            [CompletionResult]::new('index', 'index', [CompletionResultType]::ParameterValue, 'List, verify, move and remove indexes')
            [CompletionResult]::new('documents', 'documents', [CompletionResultType]::ParameterValue, 'List, show and remove the documents of an index')
            [CompletionResult]::new('cache', 'cache', [CompletionResultType]::ParameterValue, 'Show, empty and warm the cache')
            [CompletionResult]::new('model', 'model', [CompletionResultType]::ParameterValue, 'List, verify, add and download embedding models')
            [CompletionResult]::new('serve', 'serve', [CompletionResultType]::ParameterValue, 'Serve a web page and an HTTP API')
            [CompletionResult]::new('token', 'token', [CompletionResultType]::ParameterValue, 'Add, list and revoke access tokens of `rag serve`')
            [CompletionResult]::new('eval', 'eval', [CompletionResultType]::ParameterValue, 'Measure search and answers on questions with known answers')
            [CompletionResult]::new('mcp', 'mcp', [CompletionResultType]::ParameterValue, 'Serve the indexes to agents over the Model Context Protocol')
            [CompletionResult]::new('stats', 'stats', [CompletionResultType]::ParameterValue, 'Show usage statistics')
            [CompletionResult]::new('worker', 'worker', [CompletionResultType]::ParameterValue, 'Run jobs until interrupted')
            [CompletionResult]::new('migrate', 'migrate', [CompletionResultType]::ParameterValue, 'Bring the database schema up to date')
            [CompletionResult]::new('status', 'status', [CompletionResultType]::ParameterValue, 'Show what is indexed, how fresh it is, and what could be better')
            [CompletionResult]::new('doctor', 'doctor', [CompletionResultType]::ParameterValue, 'Check the data directory, library, model, index, cache and outside services')
            [CompletionResult]::new('init', 'init', [CompletionResultType]::ParameterValue, 'Make a configuration file for this folder')
            [CompletionResult]::new('config', 'config', [CompletionResultType]::ParameterValue, 'Show and change settings')
            [CompletionResult]::new('completions', 'completions', [CompletionResultType]::ParameterValue, 'Print a shell completion script')
            [CompletionResult]::new('man', 'man', [CompletionResultType]::ParameterValue, 'Print a man page')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'rag;ingest' {
            [CompletionResult]::new('--dir', '--dir', [CompletionResultType]::ParameterName, 'Folder to index (repeatable); same as the argument DIR')
            [CompletionResult]::new('--url', '--url', [CompletionResultType]::ParameterName, 'Web page to index (repeatable); the URL of a sitemap means the pages that it lists')
            [CompletionResult]::new('--model', '--model', [CompletionResultType]::ParameterName, 'Embedding model [default: all-MiniLM-L6-v2]')
            [CompletionResult]::new('--include', '--include', [CompletionResultType]::ParameterName, 'Index only files matching GLOB, as in .gitignore (repeatable)')
            [CompletionResult]::new('--exclude', '--exclude', [CompletionResultType]::ParameterName, 'Skip files matching GLOB, as in .gitignore (repeatable)')
            [CompletionResult]::new('--wait', '--wait', [CompletionResultType]::ParameterName, 'Wait up to SECONDS for another writer')
            [CompletionResult]::new('--threads', '--threads', [CompletionResultType]::ParameterName, 'Threads for reading and embedding [default: one per core]')
            [CompletionResult]::new('--poll', '--poll', [CompletionResultType]::ParameterName, 'Poll for changes every SECONDS, for network drives')
            [CompletionResult]::new('--priority', '--priority', [CompletionResultType]::ParameterName, 'Priority of the background job')
            [CompletionResult]::new('--after', '--after', [CompletionResultType]::ParameterName, 'Start only after job ID has succeeded (repeatable)')
            [CompletionResult]::new('--data-dir', '--data-dir', [CompletionResultType]::ParameterName, 'Folder for models, indexes and caches [default: data]')
            [CompletionResult]::new('--index', '--index', [CompletionResultType]::ParameterName, 'Index to use [default: default]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colors')
            [CompletionResult]::new('--sitemap', '--sitemap', [CompletionResultType]::ParameterName, 'Index the pages that the site''s sitemap lists below each URL')
            [CompletionResult]::new('--only', '--only', [CompletionResultType]::ParameterName, 'Remove all other folders from the index')
            [CompletionResult]::new('-y', '-y', [CompletionResultType]::ParameterName, 'Do not ask for confirmation')
            [CompletionResult]::new('--yes', '--yes', [CompletionResultType]::ParameterName, 'Do not ask for confirmation')
            [CompletionResult]::new('--no-cache', '--no-cache', [CompletionResultType]::ParameterName, 'Do not read or write the embedding cache')
            [CompletionResult]::new('--retry-failed', '--retry-failed', [CompletionResultType]::ParameterName, 'Retry unchanged files that failed before')
            [CompletionResult]::new('--detach', '--detach', [CompletionResultType]::ParameterName, 'Queue a background job and print its id')
            [CompletionResult]::new('--watch', '--watch', [CompletionResultType]::ParameterName, 'Keep running; re-ingest on change')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as JSON')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print more detail')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print more detail')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'rag;jobs' {
            [CompletionResult]::new('--data-dir', '--data-dir', [CompletionResultType]::ParameterName, 'Folder for models, indexes and caches [default: data]')
            [CompletionResult]::new('--index', '--index', [CompletionResultType]::ParameterName, 'Index to use [default: default]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colors')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as JSON')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print more detail')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print more detail')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('list', 'list', [CompletionResultType]::ParameterValue, 'List jobs, oldest first')
            [CompletionResult]::new('show', 'show', [CompletionResultType]::ParameterValue, 'Show a job')
            [CompletionResult]::new('cancel', 'cancel', [CompletionResultType]::ParameterValue, 'Cancel a queued or running job')
            [CompletionResult]::new('retry', 'retry', [CompletionResultType]::ParameterValue, 'Queue a failed or cancelled job again')
            [CompletionResult]::new('clean', 'clean', [CompletionResultType]::ParameterValue, 'Delete records of finished jobs')
            [CompletionResult]::new('run', 'run', [CompletionResultType]::ParameterValue, 'Run queued jobs until none is left')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'rag;jobs;list' {
            [CompletionResult]::new('--data-dir', '--data-dir', [CompletionResultType]::ParameterName, 'Folder for models, indexes and caches [default: data]')
            [CompletionResult]::new('--index', '--index', [CompletionResultType]::ParameterName, 'Index to use [default: default]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colors')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as JSON')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print more detail')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print more detail')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'rag;jobs;show' {
            [CompletionResult]::new('--data-dir', '--data-dir', [CompletionResultType]::ParameterName, 'Folder for models, indexes and caches [default: data]')
            [CompletionResult]::new('--index', '--index', [CompletionResultType]::ParameterName, 'Index to use [default: default]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colors')
            [CompletionResult]::new('--follow', '--follow', [CompletionResultType]::ParameterName, 'Wait for the job to finish, and exit as it did')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as JSON')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print more detail')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print more detail')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'rag;jobs;cancel' {
            [CompletionResult]::new('--data-dir', '--data-dir', [CompletionResultType]::ParameterName, 'Folder for models, indexes and caches [default: data]')
            [CompletionResult]::new('--index', '--index', [CompletionResultType]::ParameterName, 'Index to use [default: default]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colors')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as JSON')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print more detail')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print more detail')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'rag;jobs;retry' {
            [CompletionResult]::new('--data-dir', '--data-dir', [CompletionResultType]::ParameterName, 'Folder for models, indexes and caches [default: data]')
            [CompletionResult]::new('--index', '--index', [CompletionResultType]::ParameterName, 'Index to use [default: default]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colors')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as JSON')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print more detail')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print more detail')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'rag;jobs;clean' {
            [CompletionResult]::new('--older-than', '--older-than', [CompletionResultType]::ParameterName, 'Only jobs that ended more than HOURS ago [default: setting `jobs.keep_hours`]')
            [CompletionResult]::new('--data-dir', '--data-dir', [CompletionResultType]::ParameterName, 'Folder for models, indexes and caches [default: data]')
            [CompletionResult]::new('--index', '--index', [CompletionResultType]::ParameterName, 'Index to use [default: default]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colors')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as JSON')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print more detail')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print more detail')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'rag;jobs;run' {
            [CompletionResult]::new('--data-dir', '--data-dir', [CompletionResultType]::ParameterName, 'Folder for models, indexes and caches [default: data]')
            [CompletionResult]::new('--index', '--index', [CompletionResultType]::ParameterName, 'Index to use [default: default]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colors')
            [CompletionResult]::new('--one', '--one', [CompletionResultType]::ParameterName, 'Run one job in this process')
            [CompletionResult]::new('--embed', '--embed', [CompletionResultType]::ParameterName, 'Embed texts of ingests on other machines')
            [CompletionResult]::new('--detached', '--detached', [CompletionResultType]::ParameterName, 'Start a new session, to survive the end of the terminal')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as JSON')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print more detail')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print more detail')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'rag;jobs;help' {
            [CompletionResult]::new('list', 'list', [CompletionResultType]::ParameterValue, 'List jobs, oldest first')
            [CompletionResult]::new('show', 'show', [CompletionResultType]::ParameterValue, 'Show a job')
            [CompletionResult]::new('cancel', 'cancel', [CompletionResultType]::ParameterValue, 'Cancel a queued or running job')
            [CompletionResult]::new('retry', 'retry', [CompletionResultType]::ParameterValue, 'Queue a failed or cancelled job again')
            [CompletionResult]::new('clean', 'clean', [CompletionResultType]::ParameterValue, 'Delete records of finished jobs')
            [CompletionResult]::new('run', 'run', [CompletionResultType]::ParameterValue, 'Run queued jobs until none is left')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'rag;jobs;help;list' {
            break
        }
        'rag;jobs;help;show' {
            break
        }
        'rag;jobs;help;cancel' {
            break
        }
        'rag;jobs;help;retry' {
            break
        }
        'rag;jobs;help;clean' {
            break
        }
        'rag;jobs;help;run' {
            break
        }
        'rag;jobs;help;help' {
            break
        }
        'rag;search' {
            [CompletionResult]::new('-k', '-k', [CompletionResultType]::ParameterName, 'Number of passages [default: 10]')
            [CompletionResult]::new('--mode', '--mode', [CompletionResultType]::ParameterName, 'Retrievers to use [default: hybrid]')
            [CompletionResult]::new('--filter', '--filter', [CompletionResultType]::ParameterName, 'Only documents that match, such as `type:markdown and not path:drafts/**`')
            [CompletionResult]::new('--rerank', '--rerank', [CompletionResultType]::ParameterName, 'Rerank the top N passages, with `rerank.model` [default: 20]')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'Text for people, passages as Markdown for a language model (context), paths, or `path:line:text` (lines) [default: text]')
            [CompletionResult]::new('--tokens', '--tokens', [CompletionResultType]::ParameterName, 'Maximum tokens of `--format context` [default: 4000]')
            [CompletionResult]::new('--data-dir', '--data-dir', [CompletionResultType]::ParameterName, 'Folder for models, indexes and caches [default: data]')
            [CompletionResult]::new('--index', '--index', [CompletionResultType]::ParameterName, 'Index to use [default: default]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colors')
            [CompletionResult]::new('--explain', '--explain', [CompletionResultType]::ParameterName, 'Show rank, score and weight of every retriever')
            [CompletionResult]::new('--no-cache', '--no-cache', [CompletionResultType]::ParameterName, 'Do not read or write the cache')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as JSON')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print more detail')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print more detail')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'rag;ask' {
            [CompletionResult]::new('--batch', '--batch', [CompletionResultType]::ParameterName, 'Answer every line of FILE (`-`: standard input), one JSON object per line')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'Text for people, the passages as Markdown for a language model (context), paths, `path:line:text` (lines), or the steps of the answer as a diagram (mermaid) [default: text]')
            [CompletionResult]::new('--tokens', '--tokens', [CompletionResultType]::ParameterName, 'Maximum tokens of `--format context` [default: 4000]')
            [CompletionResult]::new('--session', '--session', [CompletionResultType]::ParameterName, 'Start or continue the conversation ID')
            [CompletionResult]::new('-k', '-k', [CompletionResultType]::ParameterName, 'Number of passages to consider [default: 10]')
            [CompletionResult]::new('--mode', '--mode', [CompletionResultType]::ParameterName, 'Retrievers to use [default: hybrid]')
            [CompletionResult]::new('--filter', '--filter', [CompletionResultType]::ParameterName, 'Only documents that match, such as `type:markdown and not path:drafts/**`')
            [CompletionResult]::new('--rerank', '--rerank', [CompletionResultType]::ParameterName, 'Rerank the top N passages, with `rerank.model` [default: 20]')
            [CompletionResult]::new('--intent', '--intent', [CompletionResultType]::ParameterName, 'Kind of answer [default: detected from the question]')
            [CompletionResult]::new('--max-words', '--max-words', [CompletionResultType]::ParameterName, 'Maximum length of the answer in words [default: 60]')
            [CompletionResult]::new('--generator', '--generator', [CompletionResultType]::ParameterName, 'Quote the documents, or have a language model write [default: extractive]')
            [CompletionResult]::new('--llm', '--llm', [CompletionResultType]::ParameterName, 'Language model to write with, one of the tables `llm.NAME` of the configuration')
            [CompletionResult]::new('--fallback', '--fallback', [CompletionResultType]::ParameterName, 'Generator to use when the language model fails [default: none]')
            [CompletionResult]::new('--data-dir', '--data-dir', [CompletionResultType]::ParameterName, 'Folder for models, indexes and caches [default: data]')
            [CompletionResult]::new('--index', '--index', [CompletionResultType]::ParameterName, 'Index to use [default: default]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colors')
            [CompletionResult]::new('--continue', '--continue', [CompletionResultType]::ParameterName, 'Continue the last used conversation')
            [CompletionResult]::new('--no-cache', '--no-cache', [CompletionResultType]::ParameterName, 'Do not read or write the cache')
            [CompletionResult]::new('--refresh', '--refresh', [CompletionResultType]::ParameterName, 'Recompute and replace cached results')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as JSON')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print more detail')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print more detail')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'rag;chat' {
            [CompletionResult]::new('--session', '--session', [CompletionResultType]::ParameterName, 'Start or continue the conversation ID')
            [CompletionResult]::new('-k', '-k', [CompletionResultType]::ParameterName, 'Number of passages to consider [default: 10]')
            [CompletionResult]::new('--mode', '--mode', [CompletionResultType]::ParameterName, 'Retrievers to use [default: hybrid]')
            [CompletionResult]::new('--filter', '--filter', [CompletionResultType]::ParameterName, 'Only documents that match, such as `type:markdown and not path:drafts/**`')
            [CompletionResult]::new('--rerank', '--rerank', [CompletionResultType]::ParameterName, 'Rerank the top N passages, with `rerank.model` [default: 20]')
            [CompletionResult]::new('--intent', '--intent', [CompletionResultType]::ParameterName, 'Kind of answer [default: detected from the question]')
            [CompletionResult]::new('--max-words', '--max-words', [CompletionResultType]::ParameterName, 'Maximum length of the answer in words [default: 60]')
            [CompletionResult]::new('--generator', '--generator', [CompletionResultType]::ParameterName, 'Quote the documents, or have a language model write [default: extractive]')
            [CompletionResult]::new('--llm', '--llm', [CompletionResultType]::ParameterName, 'Language model to write with, one of the tables `llm.NAME` of the configuration')
            [CompletionResult]::new('--fallback', '--fallback', [CompletionResultType]::ParameterName, 'Generator to use when the language model fails [default: none]')
            [CompletionResult]::new('--data-dir', '--data-dir', [CompletionResultType]::ParameterName, 'Folder for models, indexes and caches [default: data]')
            [CompletionResult]::new('--index', '--index', [CompletionResultType]::ParameterName, 'Index to use [default: default]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colors')
            [CompletionResult]::new('--continue', '--continue', [CompletionResultType]::ParameterName, 'Continue the last used conversation')
            [CompletionResult]::new('--no-cache', '--no-cache', [CompletionResultType]::ParameterName, 'Do not read or write the cache')
            [CompletionResult]::new('--refresh', '--refresh', [CompletionResultType]::ParameterName, 'Recompute and replace cached results')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as JSON')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print more detail')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print more detail')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'rag;open' {
            [CompletionResult]::new('--data-dir', '--data-dir', [CompletionResultType]::ParameterName, 'Folder for models, indexes and caches [default: data]')
            [CompletionResult]::new('--index', '--index', [CompletionResultType]::ParameterName, 'Index to use [default: default]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colors')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as JSON')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print more detail')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print more detail')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'rag;show' {
            [CompletionResult]::new('-C', '-C ', [CompletionResultType]::ParameterName, 'Passages to show before and after it')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'Passages to show before and after it')
            [CompletionResult]::new('--data-dir', '--data-dir', [CompletionResultType]::ParameterName, 'Folder for models, indexes and caches [default: data]')
            [CompletionResult]::new('--index', '--index', [CompletionResultType]::ParameterName, 'Index to use [default: default]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colors')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as JSON')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print more detail')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print more detail')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'rag;sessions' {
            [CompletionResult]::new('--data-dir', '--data-dir', [CompletionResultType]::ParameterName, 'Folder for models, indexes and caches [default: data]')
            [CompletionResult]::new('--index', '--index', [CompletionResultType]::ParameterName, 'Index to use [default: default]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colors')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as JSON')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print more detail')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print more detail')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('list', 'list', [CompletionResultType]::ParameterValue, 'List conversations, last used first')
            [CompletionResult]::new('show', 'show', [CompletionResultType]::ParameterValue, 'Print a conversation')
            [CompletionResult]::new('export', 'export', [CompletionResultType]::ParameterValue, 'Export a conversation as JSON lines')
            [CompletionResult]::new('remove', 'remove', [CompletionResultType]::ParameterValue, 'Remove conversations')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'rag;sessions;list' {
            [CompletionResult]::new('--data-dir', '--data-dir', [CompletionResultType]::ParameterName, 'Folder for models, indexes and caches [default: data]')
            [CompletionResult]::new('--index', '--index', [CompletionResultType]::ParameterName, 'Index to use [default: default]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colors')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as JSON')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print more detail')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print more detail')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'rag;sessions;show' {
            [CompletionResult]::new('--data-dir', '--data-dir', [CompletionResultType]::ParameterName, 'Folder for models, indexes and caches [default: data]')
            [CompletionResult]::new('--index', '--index', [CompletionResultType]::ParameterName, 'Index to use [default: default]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colors')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as JSON')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print more detail')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print more detail')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'rag;sessions;export' {
            [CompletionResult]::new('--to', '--to', [CompletionResultType]::ParameterName, 'Folder to write session.jsonl to [default: `runs/session_TIME` in the data directory]')
            [CompletionResult]::new('--data-dir', '--data-dir', [CompletionResultType]::ParameterName, 'Folder for models, indexes and caches [default: data]')
            [CompletionResult]::new('--index', '--index', [CompletionResultType]::ParameterName, 'Index to use [default: default]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colors')
            [CompletionResult]::new('--force', '--force', [CompletionResultType]::ParameterName, 'Overwrite an existing session.jsonl')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as JSON')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print more detail')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print more detail')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'rag;sessions;remove' {
            [CompletionResult]::new('--data-dir', '--data-dir', [CompletionResultType]::ParameterName, 'Folder for models, indexes and caches [default: data]')
            [CompletionResult]::new('--index', '--index', [CompletionResultType]::ParameterName, 'Index to use [default: default]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colors')
            [CompletionResult]::new('--all', '--all', [CompletionResultType]::ParameterName, 'Remove every conversation and the history of `rag chat`')
            [CompletionResult]::new('-y', '-y', [CompletionResultType]::ParameterName, 'Do not ask for confirmation')
            [CompletionResult]::new('--yes', '--yes', [CompletionResultType]::ParameterName, 'Do not ask for confirmation')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as JSON')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print more detail')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print more detail')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'rag;sessions;help' {
            [CompletionResult]::new('list', 'list', [CompletionResultType]::ParameterValue, 'List conversations, last used first')
            [CompletionResult]::new('show', 'show', [CompletionResultType]::ParameterValue, 'Print a conversation')
            [CompletionResult]::new('export', 'export', [CompletionResultType]::ParameterValue, 'Export a conversation as JSON lines')
            [CompletionResult]::new('remove', 'remove', [CompletionResultType]::ParameterValue, 'Remove conversations')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'rag;sessions;help;list' {
            break
        }
        'rag;sessions;help;show' {
            break
        }
        'rag;sessions;help;export' {
            break
        }
        'rag;sessions;help;remove' {
            break
        }
        'rag;sessions;help;help' {
            break
        }
        'rag;index' {
            [CompletionResult]::new('--data-dir', '--data-dir', [CompletionResultType]::ParameterName, 'Folder for models, indexes and caches [default: data]')
            [CompletionResult]::new('--index', '--index', [CompletionResultType]::ParameterName, 'Index to use [default: default]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colors')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as JSON')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print more detail')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print more detail')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('list', 'list', [CompletionResultType]::ParameterValue, 'List the indexes in the data directory')
            [CompletionResult]::new('show', 'show', [CompletionResultType]::ParameterValue, 'Show the contents and settings of an index')
            [CompletionResult]::new('verify', 'verify', [CompletionResultType]::ParameterValue, 'Check every byte of an index and report damage')
            [CompletionResult]::new('save', 'save', [CompletionResultType]::ParameterValue, 'Save an index to a single file')
            [CompletionResult]::new('load', 'load', [CompletionResultType]::ParameterValue, 'Load an index from a file, checking every byte first')
            [CompletionResult]::new('push', 'push', [CompletionResultType]::ParameterValue, 'Copy an index to a bucket or a shared folder')
            [CompletionResult]::new('pull', 'pull', [CompletionResultType]::ParameterValue, 'Copy an index from a bucket or a shared folder, checking every byte')
            [CompletionResult]::new('gc', 'gc', [CompletionResultType]::ParameterValue, 'Delete files from the bucket that no index needs any more')
            [CompletionResult]::new('rollback', 'rollback', [CompletionResultType]::ParameterValue, 'Roll back to the previous generation (repeat to undo)')
            [CompletionResult]::new('compact', 'compact', [CompletionResultType]::ParameterValue, 'Rewrite an index without the remains of removed documents')
            [CompletionResult]::new('remove-folder', 'remove-folder', [CompletionResultType]::ParameterValue, 'Remove a folder from an index; files on disk are not touched')
            [CompletionResult]::new('remove', 'remove', [CompletionResultType]::ParameterValue, 'Remove an index; files on disk are not touched')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'rag;index;list' {
            [CompletionResult]::new('--data-dir', '--data-dir', [CompletionResultType]::ParameterName, 'Folder for models, indexes and caches [default: data]')
            [CompletionResult]::new('--index', '--index', [CompletionResultType]::ParameterName, 'Index to use [default: default]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colors')
            [CompletionResult]::new('--everywhere', '--everywhere', [CompletionResultType]::ParameterName, 'List the indexes of all known data directories')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as JSON')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print more detail')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print more detail')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'rag;index;show' {
            [CompletionResult]::new('--data-dir', '--data-dir', [CompletionResultType]::ParameterName, 'Folder for models, indexes and caches [default: data]')
            [CompletionResult]::new('--index', '--index', [CompletionResultType]::ParameterName, 'Index to use [default: default]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colors')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as JSON')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print more detail')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print more detail')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'rag;index;verify' {
            [CompletionResult]::new('--data-dir', '--data-dir', [CompletionResultType]::ParameterName, 'Folder for models, indexes and caches [default: data]')
            [CompletionResult]::new('--index', '--index', [CompletionResultType]::ParameterName, 'Index to use [default: default]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colors')
            [CompletionResult]::new('--repair', '--repair', [CompletionResultType]::ParameterName, 'Repair the index from its intact parts, its files and the embedding cache')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as JSON')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print more detail')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print more detail')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'rag;index;save' {
            [CompletionResult]::new('--data-dir', '--data-dir', [CompletionResultType]::ParameterName, 'Folder for models, indexes and caches [default: data]')
            [CompletionResult]::new('--index', '--index', [CompletionResultType]::ParameterName, 'Index to use [default: default]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colors')
            [CompletionResult]::new('--force', '--force', [CompletionResultType]::ParameterName, 'Overwrite an existing file')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as JSON')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print more detail')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print more detail')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'rag;index;load' {
            [CompletionResult]::new('--as', '--as', [CompletionResultType]::ParameterName, 'Name for the index [default: the name it was saved under]')
            [CompletionResult]::new('--data-dir', '--data-dir', [CompletionResultType]::ParameterName, 'Folder for models, indexes and caches [default: data]')
            [CompletionResult]::new('--index', '--index', [CompletionResultType]::ParameterName, 'Index to use [default: default]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colors')
            [CompletionResult]::new('--replace', '--replace', [CompletionResultType]::ParameterName, 'Replace an existing index of that name')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as JSON')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print more detail')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print more detail')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'rag;index;push' {
            [CompletionResult]::new('--to', '--to', [CompletionResultType]::ParameterName, 'Bucket or folder, such as `s3://bucket/rag` [default: depot.url]')
            [CompletionResult]::new('--data-dir', '--data-dir', [CompletionResultType]::ParameterName, 'Folder for models, indexes and caches [default: data]')
            [CompletionResult]::new('--index', '--index', [CompletionResultType]::ParameterName, 'Index to use [default: default]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colors')
            [CompletionResult]::new('--replace', '--replace', [CompletionResultType]::ParameterName, 'Replace another index of that name, and files that are there already')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as JSON')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print more detail')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print more detail')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'rag;index;pull' {
            [CompletionResult]::new('--from', '--from', [CompletionResultType]::ParameterName, 'Bucket or folder, such as `s3://bucket/rag` [default: depot.url]')
            [CompletionResult]::new('--as', '--as', [CompletionResultType]::ParameterName, 'Name for the index [default: the name it has there]')
            [CompletionResult]::new('--data-dir', '--data-dir', [CompletionResultType]::ParameterName, 'Folder for models, indexes and caches [default: data]')
            [CompletionResult]::new('--index', '--index', [CompletionResultType]::ParameterName, 'Index to use [default: default]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colors')
            [CompletionResult]::new('--replace', '--replace', [CompletionResultType]::ParameterName, 'Replace an existing index of that name')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as JSON')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print more detail')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print more detail')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'rag;index;gc' {
            [CompletionResult]::new('--data-dir', '--data-dir', [CompletionResultType]::ParameterName, 'Folder for models, indexes and caches [default: data]')
            [CompletionResult]::new('--index', '--index', [CompletionResultType]::ParameterName, 'Index to use [default: default]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colors')
            [CompletionResult]::new('--now', '--now', [CompletionResultType]::ParameterName, 'Do not wait for the grace to pass')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as JSON')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print more detail')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print more detail')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'rag;index;rollback' {
            [CompletionResult]::new('--data-dir', '--data-dir', [CompletionResultType]::ParameterName, 'Folder for models, indexes and caches [default: data]')
            [CompletionResult]::new('--index', '--index', [CompletionResultType]::ParameterName, 'Index to use [default: default]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colors')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as JSON')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print more detail')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print more detail')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'rag;index;compact' {
            [CompletionResult]::new('--data-dir', '--data-dir', [CompletionResultType]::ParameterName, 'Folder for models, indexes and caches [default: data]')
            [CompletionResult]::new('--index', '--index', [CompletionResultType]::ParameterName, 'Index to use [default: default]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colors')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as JSON')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print more detail')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print more detail')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'rag;index;remove-folder' {
            [CompletionResult]::new('--wait', '--wait', [CompletionResultType]::ParameterName, 'Wait up to SECONDS for another writer')
            [CompletionResult]::new('--data-dir', '--data-dir', [CompletionResultType]::ParameterName, 'Folder for models, indexes and caches [default: data]')
            [CompletionResult]::new('--index', '--index', [CompletionResultType]::ParameterName, 'Index to use [default: default]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colors')
            [CompletionResult]::new('-y', '-y', [CompletionResultType]::ParameterName, 'Do not ask for confirmation')
            [CompletionResult]::new('--yes', '--yes', [CompletionResultType]::ParameterName, 'Do not ask for confirmation')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as JSON')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print more detail')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print more detail')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'rag;index;remove' {
            [CompletionResult]::new('--data-dir', '--data-dir', [CompletionResultType]::ParameterName, 'Folder for models, indexes and caches [default: data]')
            [CompletionResult]::new('--index', '--index', [CompletionResultType]::ParameterName, 'Index to use [default: default]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colors')
            [CompletionResult]::new('-y', '-y', [CompletionResultType]::ParameterName, 'Do not ask for confirmation')
            [CompletionResult]::new('--yes', '--yes', [CompletionResultType]::ParameterName, 'Do not ask for confirmation')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as JSON')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print more detail')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print more detail')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'rag;index;help' {
            [CompletionResult]::new('list', 'list', [CompletionResultType]::ParameterValue, 'List the indexes in the data directory')
            [CompletionResult]::new('show', 'show', [CompletionResultType]::ParameterValue, 'Show the contents and settings of an index')
            [CompletionResult]::new('verify', 'verify', [CompletionResultType]::ParameterValue, 'Check every byte of an index and report damage')
            [CompletionResult]::new('save', 'save', [CompletionResultType]::ParameterValue, 'Save an index to a single file')
            [CompletionResult]::new('load', 'load', [CompletionResultType]::ParameterValue, 'Load an index from a file, checking every byte first')
            [CompletionResult]::new('push', 'push', [CompletionResultType]::ParameterValue, 'Copy an index to a bucket or a shared folder')
            [CompletionResult]::new('pull', 'pull', [CompletionResultType]::ParameterValue, 'Copy an index from a bucket or a shared folder, checking every byte')
            [CompletionResult]::new('gc', 'gc', [CompletionResultType]::ParameterValue, 'Delete files from the bucket that no index needs any more')
            [CompletionResult]::new('rollback', 'rollback', [CompletionResultType]::ParameterValue, 'Roll back to the previous generation (repeat to undo)')
            [CompletionResult]::new('compact', 'compact', [CompletionResultType]::ParameterValue, 'Rewrite an index without the remains of removed documents')
            [CompletionResult]::new('remove-folder', 'remove-folder', [CompletionResultType]::ParameterValue, 'Remove a folder from an index; files on disk are not touched')
            [CompletionResult]::new('remove', 'remove', [CompletionResultType]::ParameterValue, 'Remove an index; files on disk are not touched')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'rag;index;help;list' {
            break
        }
        'rag;index;help;show' {
            break
        }
        'rag;index;help;verify' {
            break
        }
        'rag;index;help;save' {
            break
        }
        'rag;index;help;load' {
            break
        }
        'rag;index;help;push' {
            break
        }
        'rag;index;help;pull' {
            break
        }
        'rag;index;help;gc' {
            break
        }
        'rag;index;help;rollback' {
            break
        }
        'rag;index;help;compact' {
            break
        }
        'rag;index;help;remove-folder' {
            break
        }
        'rag;index;help;remove' {
            break
        }
        'rag;index;help;help' {
            break
        }
        'rag;documents' {
            [CompletionResult]::new('--data-dir', '--data-dir', [CompletionResultType]::ParameterName, 'Folder for models, indexes and caches [default: data]')
            [CompletionResult]::new('--index', '--index', [CompletionResultType]::ParameterName, 'Index to use [default: default]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colors')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as JSON')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print more detail')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print more detail')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('list', 'list', [CompletionResultType]::ParameterValue, 'List documents')
            [CompletionResult]::new('show', 'show', [CompletionResultType]::ParameterValue, 'Show a document and its passages')
            [CompletionResult]::new('remove', 'remove', [CompletionResultType]::ParameterValue, 'Remove documents from the index permanently; files on disk are not touched')
            [CompletionResult]::new('restore', 'restore', [CompletionResultType]::ParameterValue, 'Let the next ingest add removed documents again')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'rag;documents;list' {
            [CompletionResult]::new('--filter', '--filter', [CompletionResultType]::ParameterName, 'Only documents that match, such as `type:markdown and not path:drafts/**`')
            [CompletionResult]::new('--data-dir', '--data-dir', [CompletionResultType]::ParameterName, 'Folder for models, indexes and caches [default: data]')
            [CompletionResult]::new('--index', '--index', [CompletionResultType]::ParameterName, 'Index to use [default: default]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colors')
            [CompletionResult]::new('--failed', '--failed', [CompletionResultType]::ParameterName, 'Show files that failed, with the reason')
            [CompletionResult]::new('--skipped', '--skipped', [CompletionResultType]::ParameterName, 'Show files without text, with the reason')
            [CompletionResult]::new('--removed', '--removed', [CompletionResultType]::ParameterName, 'Show documents excluded by `rag documents remove`')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as JSON')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print more detail')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print more detail')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'rag;documents;show' {
            [CompletionResult]::new('--data-dir', '--data-dir', [CompletionResultType]::ParameterName, 'Folder for models, indexes and caches [default: data]')
            [CompletionResult]::new('--index', '--index', [CompletionResultType]::ParameterName, 'Index to use [default: default]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colors')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as JSON')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print more detail')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print more detail')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'rag;documents;remove' {
            [CompletionResult]::new('--wait', '--wait', [CompletionResultType]::ParameterName, 'Wait up to SECONDS for another writer')
            [CompletionResult]::new('--data-dir', '--data-dir', [CompletionResultType]::ParameterName, 'Folder for models, indexes and caches [default: data]')
            [CompletionResult]::new('--index', '--index', [CompletionResultType]::ParameterName, 'Index to use [default: default]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colors')
            [CompletionResult]::new('-y', '-y', [CompletionResultType]::ParameterName, 'Do not ask for confirmation')
            [CompletionResult]::new('--yes', '--yes', [CompletionResultType]::ParameterName, 'Do not ask for confirmation')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as JSON')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print more detail')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print more detail')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'rag;documents;restore' {
            [CompletionResult]::new('--wait', '--wait', [CompletionResultType]::ParameterName, 'Wait up to SECONDS for another writer')
            [CompletionResult]::new('--data-dir', '--data-dir', [CompletionResultType]::ParameterName, 'Folder for models, indexes and caches [default: data]')
            [CompletionResult]::new('--index', '--index', [CompletionResultType]::ParameterName, 'Index to use [default: default]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colors')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as JSON')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print more detail')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print more detail')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'rag;documents;help' {
            [CompletionResult]::new('list', 'list', [CompletionResultType]::ParameterValue, 'List documents')
            [CompletionResult]::new('show', 'show', [CompletionResultType]::ParameterValue, 'Show a document and its passages')
            [CompletionResult]::new('remove', 'remove', [CompletionResultType]::ParameterValue, 'Remove documents from the index permanently; files on disk are not touched')
            [CompletionResult]::new('restore', 'restore', [CompletionResultType]::ParameterValue, 'Let the next ingest add removed documents again')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'rag;documents;help;list' {
            break
        }
        'rag;documents;help;show' {
            break
        }
        'rag;documents;help;remove' {
            break
        }
        'rag;documents;help;restore' {
            break
        }
        'rag;documents;help;help' {
            break
        }
        'rag;cache' {
            [CompletionResult]::new('--purge', '--purge', [CompletionResultType]::ParameterName, 'Alias of `rag cache purge`')
            [CompletionResult]::new('--data-dir', '--data-dir', [CompletionResultType]::ParameterName, 'Folder for models, indexes and caches [default: data]')
            [CompletionResult]::new('--index', '--index', [CompletionResultType]::ParameterName, 'Index to use [default: default]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colors')
            [CompletionResult]::new('--stats', '--stats', [CompletionResultType]::ParameterName, 'Alias of `rag cache stats`')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as JSON')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print more detail')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print more detail')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('stats', 'stats', [CompletionResultType]::ParameterValue, 'Show rows, size and hit rate of every table')
            [CompletionResult]::new('purge', 'purge', [CompletionResultType]::ParameterValue, 'Empty tables and free their disk space')
            [CompletionResult]::new('clear', 'clear', [CompletionResultType]::ParameterValue, 'Empty tables and free their disk space')
            [CompletionResult]::new('warm', 'warm', [CompletionResultType]::ParameterValue, 'Answer a file of questions in advance')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'rag;cache;stats' {
            [CompletionResult]::new('--data-dir', '--data-dir', [CompletionResultType]::ParameterName, 'Folder for models, indexes and caches [default: data]')
            [CompletionResult]::new('--index', '--index', [CompletionResultType]::ParameterName, 'Index to use [default: default]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colors')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as JSON')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print more detail')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print more detail')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'rag;cache;purge' {
            [CompletionResult]::new('--tag', '--tag', [CompletionResultType]::ParameterName, 'Only rows made from this index, document or folder of documents, as hits name it')
            [CompletionResult]::new('--domain', '--domain', [CompletionResultType]::ParameterName, 'Only rows made from web pages of this host or of hosts below it')
            [CompletionResult]::new('--data-dir', '--data-dir', [CompletionResultType]::ParameterName, 'Folder for models, indexes and caches [default: data]')
            [CompletionResult]::new('--index', '--index', [CompletionResultType]::ParameterName, 'Index to use [default: default]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colors')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as JSON')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print more detail')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print more detail')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'rag;cache;clear' {
            [CompletionResult]::new('--tag', '--tag', [CompletionResultType]::ParameterName, 'Only rows made from this index, document or folder of documents, as hits name it')
            [CompletionResult]::new('--domain', '--domain', [CompletionResultType]::ParameterName, 'Only rows made from web pages of this host or of hosts below it')
            [CompletionResult]::new('--data-dir', '--data-dir', [CompletionResultType]::ParameterName, 'Folder for models, indexes and caches [default: data]')
            [CompletionResult]::new('--index', '--index', [CompletionResultType]::ParameterName, 'Index to use [default: default]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colors')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as JSON')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print more detail')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print more detail')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'rag;cache;warm' {
            [CompletionResult]::new('-k', '-k', [CompletionResultType]::ParameterName, 'Number of passages to consider [default: 10]')
            [CompletionResult]::new('--mode', '--mode', [CompletionResultType]::ParameterName, 'Retrievers to use [default: hybrid]')
            [CompletionResult]::new('--filter', '--filter', [CompletionResultType]::ParameterName, 'Only documents that match, such as `type:markdown and not path:drafts/**`')
            [CompletionResult]::new('--rerank', '--rerank', [CompletionResultType]::ParameterName, 'Rerank the top N passages, with `rerank.model` [default: 20]')
            [CompletionResult]::new('--intent', '--intent', [CompletionResultType]::ParameterName, 'Kind of answer [default: detected from the question]')
            [CompletionResult]::new('--max-words', '--max-words', [CompletionResultType]::ParameterName, 'Maximum length of the answer in words [default: 60]')
            [CompletionResult]::new('--generator', '--generator', [CompletionResultType]::ParameterName, 'Quote the documents, or have a language model write [default: extractive]')
            [CompletionResult]::new('--llm', '--llm', [CompletionResultType]::ParameterName, 'Language model to write with, one of the tables `llm.NAME` of the configuration')
            [CompletionResult]::new('--fallback', '--fallback', [CompletionResultType]::ParameterName, 'Generator to use when the language model fails [default: none]')
            [CompletionResult]::new('--data-dir', '--data-dir', [CompletionResultType]::ParameterName, 'Folder for models, indexes and caches [default: data]')
            [CompletionResult]::new('--index', '--index', [CompletionResultType]::ParameterName, 'Index to use [default: default]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colors')
            [CompletionResult]::new('--no-cache', '--no-cache', [CompletionResultType]::ParameterName, 'Do not read or write the cache')
            [CompletionResult]::new('--refresh', '--refresh', [CompletionResultType]::ParameterName, 'Recompute and replace cached results')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as JSON')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print more detail')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print more detail')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'rag;cache;help' {
            [CompletionResult]::new('stats', 'stats', [CompletionResultType]::ParameterValue, 'Show rows, size and hit rate of every table')
            [CompletionResult]::new('purge', 'purge', [CompletionResultType]::ParameterValue, 'Empty tables and free their disk space')
            [CompletionResult]::new('warm', 'warm', [CompletionResultType]::ParameterValue, 'Answer a file of questions in advance')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'rag;cache;help;stats' {
            break
        }
        'rag;cache;help;purge' {
            break
        }
        'rag;cache;help;warm' {
            break
        }
        'rag;cache;help;help' {
            break
        }
        'rag;model' {
            [CompletionResult]::new('--data-dir', '--data-dir', [CompletionResultType]::ParameterName, 'Folder for models, indexes and caches [default: data]')
            [CompletionResult]::new('--index', '--index', [CompletionResultType]::ParameterName, 'Index to use [default: default]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colors')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as JSON')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print more detail')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print more detail')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('list', 'list', [CompletionResultType]::ParameterValue, 'List the models on this machine')
            [CompletionResult]::new('verify', 'verify', [CompletionResultType]::ParameterValue, 'Check every byte of the models and the ONNX Runtime library')
            [CompletionResult]::new('add', 'add', [CompletionResultType]::ParameterValue, 'Add a sentence-transformers folder with an ONNX file')
            [CompletionResult]::new('pull', 'pull', [CompletionResultType]::ParameterValue, 'Download a model from the Hugging Face Hub or HF_ENDPOINT')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'rag;model;list' {
            [CompletionResult]::new('--data-dir', '--data-dir', [CompletionResultType]::ParameterName, 'Folder for models, indexes and caches [default: data]')
            [CompletionResult]::new('--index', '--index', [CompletionResultType]::ParameterName, 'Index to use [default: default]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colors')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as JSON')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print more detail')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print more detail')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'rag;model;verify' {
            [CompletionResult]::new('--data-dir', '--data-dir', [CompletionResultType]::ParameterName, 'Folder for models, indexes and caches [default: data]')
            [CompletionResult]::new('--index', '--index', [CompletionResultType]::ParameterName, 'Index to use [default: default]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colors')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as JSON')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print more detail')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print more detail')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'rag;model;add' {
            [CompletionResult]::new('--name', '--name', [CompletionResultType]::ParameterName, 'Name for the model [default: name of the folder]')
            [CompletionResult]::new('--query-prompt', '--query-prompt', [CompletionResultType]::ParameterName, 'Text to put before every question [default: as the model''s files say]')
            [CompletionResult]::new('--passage-prompt', '--passage-prompt', [CompletionResultType]::ParameterName, 'Text to put before every passage [default: as the model''s files say]')
            [CompletionResult]::new('--data-dir', '--data-dir', [CompletionResultType]::ParameterName, 'Folder for models, indexes and caches [default: data]')
            [CompletionResult]::new('--index', '--index', [CompletionResultType]::ParameterName, 'Index to use [default: default]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colors')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as JSON')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print more detail')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print more detail')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'rag;model;pull' {
            [CompletionResult]::new('--revision', '--revision', [CompletionResultType]::ParameterName, 'Branch, tag or commit')
            [CompletionResult]::new('--name', '--name', [CompletionResultType]::ParameterName, 'Name for the model [default: last part of REPOSITORY]')
            [CompletionResult]::new('--query-prompt', '--query-prompt', [CompletionResultType]::ParameterName, 'Text to put before every question [default: as the model''s files say]')
            [CompletionResult]::new('--passage-prompt', '--passage-prompt', [CompletionResultType]::ParameterName, 'Text to put before every passage [default: as the model''s files say]')
            [CompletionResult]::new('--data-dir', '--data-dir', [CompletionResultType]::ParameterName, 'Folder for models, indexes and caches [default: data]')
            [CompletionResult]::new('--index', '--index', [CompletionResultType]::ParameterName, 'Index to use [default: default]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colors')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as JSON')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print more detail')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print more detail')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'rag;model;help' {
            [CompletionResult]::new('list', 'list', [CompletionResultType]::ParameterValue, 'List the models on this machine')
            [CompletionResult]::new('verify', 'verify', [CompletionResultType]::ParameterValue, 'Check every byte of the models and the ONNX Runtime library')
            [CompletionResult]::new('add', 'add', [CompletionResultType]::ParameterValue, 'Add a sentence-transformers folder with an ONNX file')
            [CompletionResult]::new('pull', 'pull', [CompletionResultType]::ParameterValue, 'Download a model from the Hugging Face Hub or HF_ENDPOINT')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'rag;model;help;list' {
            break
        }
        'rag;model;help;verify' {
            break
        }
        'rag;model;help;add' {
            break
        }
        'rag;model;help;pull' {
            break
        }
        'rag;model;help;help' {
            break
        }
        'rag;serve' {
            [CompletionResult]::new('--host', '--host', [CompletionResultType]::ParameterName, 'Address to listen on [default: 127.0.0.1]')
            [CompletionResult]::new('-p', '-p', [CompletionResultType]::ParameterName, 'Port to listen on, 0 for any free one [default: 8000]')
            [CompletionResult]::new('--port', '--port', [CompletionResultType]::ParameterName, 'Port to listen on, 0 for any free one [default: 8000]')
            [CompletionResult]::new('--data-dir', '--data-dir', [CompletionResultType]::ParameterName, 'Folder for models, indexes and caches [default: data]')
            [CompletionResult]::new('--index', '--index', [CompletionResultType]::ParameterName, 'Index to use [default: default]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colors')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as JSON')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print more detail')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print more detail')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'rag;token' {
            [CompletionResult]::new('--data-dir', '--data-dir', [CompletionResultType]::ParameterName, 'Folder for models, indexes and caches [default: data]')
            [CompletionResult]::new('--index', '--index', [CompletionResultType]::ParameterName, 'Index to use [default: default]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colors')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as JSON')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print more detail')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print more detail')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('add', 'add', [CompletionResultType]::ParameterValue, 'Add a token and print it')
            [CompletionResult]::new('list', 'list', [CompletionResultType]::ParameterValue, 'List tokens, oldest first')
            [CompletionResult]::new('revoke', 'revoke', [CompletionResultType]::ParameterValue, 'Revoke a token')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'rag;token;add' {
            [CompletionResult]::new('--scope', '--scope', [CompletionResultType]::ParameterName, 'What it may do: read (ask and search), write (also change documents) or admin')
            [CompletionResult]::new('--indexes', '--indexes', [CompletionResultType]::ParameterName, 'Indexes that it may use, separated by commas; it sees nothing of others [default: all]')
            [CompletionResult]::new('--expires-in', '--expires-in', [CompletionResultType]::ParameterName, 'Days until it expires [default: never]')
            [CompletionResult]::new('--rate', '--rate', [CompletionResultType]::ParameterName, 'Requests per minute [default: the setting `serve.rate_per_minute`]')
            [CompletionResult]::new('--quota', '--quota', [CompletionResultType]::ParameterName, 'Requests per day [default: the setting `serve.quota_per_day`]')
            [CompletionResult]::new('--data-dir', '--data-dir', [CompletionResultType]::ParameterName, 'Folder for models, indexes and caches [default: data]')
            [CompletionResult]::new('--index', '--index', [CompletionResultType]::ParameterName, 'Index to use [default: default]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colors')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as JSON')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print more detail')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print more detail')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'rag;token;list' {
            [CompletionResult]::new('--data-dir', '--data-dir', [CompletionResultType]::ParameterName, 'Folder for models, indexes and caches [default: data]')
            [CompletionResult]::new('--index', '--index', [CompletionResultType]::ParameterName, 'Index to use [default: default]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colors')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as JSON')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print more detail')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print more detail')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'rag;token;revoke' {
            [CompletionResult]::new('--data-dir', '--data-dir', [CompletionResultType]::ParameterName, 'Folder for models, indexes and caches [default: data]')
            [CompletionResult]::new('--index', '--index', [CompletionResultType]::ParameterName, 'Index to use [default: default]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colors')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as JSON')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print more detail')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print more detail')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'rag;token;help' {
            [CompletionResult]::new('add', 'add', [CompletionResultType]::ParameterValue, 'Add a token and print it')
            [CompletionResult]::new('list', 'list', [CompletionResultType]::ParameterValue, 'List tokens, oldest first')
            [CompletionResult]::new('revoke', 'revoke', [CompletionResultType]::ParameterValue, 'Revoke a token')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'rag;token;help;add' {
            break
        }
        'rag;token;help;list' {
            break
        }
        'rag;token;help;revoke' {
            break
        }
        'rag;token;help;help' {
            break
        }
        'rag;eval' {
            [CompletionResult]::new('--dir', '--dir', [CompletionResultType]::ParameterName, 'Measure a temporary index of DIR (repeatable: one for each FILE)')
            [CompletionResult]::new('--mode', '--mode', [CompletionResultType]::ParameterName, 'Modes to measure [default: all; none with `--run`]')
            [CompletionResult]::new('--set', '--set', [CompletionResultType]::ParameterName, 'Also measure with these settings changed (repeatable: one variant each)')
            [CompletionResult]::new('--run', '--run', [CompletionResultType]::ParameterName, 'Also score the TREC run in RUN (repeatable)')
            [CompletionResult]::new('--save-run', '--save-run', [CompletionResultType]::ParameterName, 'Write the ranking of the reference as a TREC run')
            [CompletionResult]::new('--baseline', '--baseline', [CompletionResultType]::ParameterName, 'Compare with an earlier measurement; exit with code 1 if a measure is significantly worse')
            [CompletionResult]::new('--save-baseline', '--save-baseline', [CompletionResultType]::ParameterName, 'Write the values of every question, for `--baseline`')
            [CompletionResult]::new('--worst', '--worst', [CompletionResultType]::ParameterName, 'Show the N worst questions, with reasons')
            [CompletionResult]::new('--html', '--html', [CompletionResultType]::ParameterName, 'Write a report with plots as one HTML page')
            [CompletionResult]::new('--generate', '--generate', [CompletionResultType]::ParameterName, 'Print N questions that the language model drafts from the index, and measure nothing')
            [CompletionResult]::new('--generator', '--generator', [CompletionResultType]::ParameterName, 'Quote the documents, or have a language model write [default: extractive]')
            [CompletionResult]::new('--filter', '--filter', [CompletionResultType]::ParameterName, 'Only documents that match, such as `type:markdown and not path:drafts/**`')
            [CompletionResult]::new('--data-dir', '--data-dir', [CompletionResultType]::ParameterName, 'Folder for models, indexes and caches [default: data]')
            [CompletionResult]::new('--index', '--index', [CompletionResultType]::ParameterName, 'Index to use [default: default]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colors')
            [CompletionResult]::new('--force', '--force', [CompletionResultType]::ParameterName, 'Replace the files that are written, if they exist')
            [CompletionResult]::new('--judge', '--judge', [CompletionResultType]::ParameterName, 'Have the language model grade the answers')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as JSON')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print more detail')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print more detail')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('init', 'init', [CompletionResultType]::ParameterValue, 'Print questions that users asked, for `rag eval`')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'rag;eval;init' {
            [CompletionResult]::new('--data-dir', '--data-dir', [CompletionResultType]::ParameterName, 'Folder for models, indexes and caches [default: data]')
            [CompletionResult]::new('--index', '--index', [CompletionResultType]::ParameterName, 'Index to use [default: default]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colors')
            [CompletionResult]::new('--drafts', '--drafts', [CompletionResultType]::ParameterName, 'Also print the questions of conversations, and those recorded in words, with the documents that their answers cite')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as JSON')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print more detail')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print more detail')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'rag;eval;help' {
            [CompletionResult]::new('init', 'init', [CompletionResultType]::ParameterValue, 'Print questions that users asked, for `rag eval`')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'rag;eval;help;init' {
            break
        }
        'rag;eval;help;help' {
            break
        }
        'rag;mcp' {
            [CompletionResult]::new('--root', '--root', [CompletionResultType]::ParameterName, 'Folder below which clients may ingest (repeatable) [default: setting `serve.roots`]')
            [CompletionResult]::new('--data-dir', '--data-dir', [CompletionResultType]::ParameterName, 'Folder for models, indexes and caches [default: data]')
            [CompletionResult]::new('--index', '--index', [CompletionResultType]::ParameterName, 'Index to use [default: default]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colors')
            [CompletionResult]::new('--allow-ingest', '--allow-ingest', [CompletionResultType]::ParameterName, 'Let clients ingest folders below --root')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as JSON')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print more detail')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print more detail')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'rag;stats' {
            [CompletionResult]::new('--since', '--since', [CompletionResultType]::ParameterName, 'Only records of the last TIME, such as 30m, 12h, 7d or 4w [default: all]')
            [CompletionResult]::new('--data-dir', '--data-dir', [CompletionResultType]::ParameterName, 'Folder for models, indexes and caches [default: data]')
            [CompletionResult]::new('--index', '--index', [CompletionResultType]::ParameterName, 'Index to use [default: default]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colors')
            [CompletionResult]::new('--purge', '--purge', [CompletionResultType]::ParameterName, 'Delete all records')
            [CompletionResult]::new('-y', '-y', [CompletionResultType]::ParameterName, 'Do not ask for confirmation')
            [CompletionResult]::new('--yes', '--yes', [CompletionResultType]::ParameterName, 'Do not ask for confirmation')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as JSON')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print more detail')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print more detail')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'rag;worker' {
            [CompletionResult]::new('--data-dir', '--data-dir', [CompletionResultType]::ParameterName, 'Folder for models, indexes and caches [default: data]')
            [CompletionResult]::new('--index', '--index', [CompletionResultType]::ParameterName, 'Index to use [default: default]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colors')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as JSON')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print more detail')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print more detail')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'rag;migrate' {
            [CompletionResult]::new('--data-dir', '--data-dir', [CompletionResultType]::ParameterName, 'Folder for models, indexes and caches [default: data]')
            [CompletionResult]::new('--index', '--index', [CompletionResultType]::ParameterName, 'Index to use [default: default]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colors')
            [CompletionResult]::new('--import', '--import', [CompletionResultType]::ParameterName, 'Copy from the files of the data directory to the database')
            [CompletionResult]::new('--export', '--export', [CompletionResultType]::ParameterName, 'Copy from the database to the files of the data directory')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as JSON')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print more detail')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print more detail')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'rag;status' {
            [CompletionResult]::new('--data-dir', '--data-dir', [CompletionResultType]::ParameterName, 'Folder for models, indexes and caches [default: data]')
            [CompletionResult]::new('--index', '--index', [CompletionResultType]::ParameterName, 'Index to use [default: default]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colors')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as JSON')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print more detail')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print more detail')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'rag;doctor' {
            [CompletionResult]::new('--data-dir', '--data-dir', [CompletionResultType]::ParameterName, 'Folder for models, indexes and caches [default: data]')
            [CompletionResult]::new('--index', '--index', [CompletionResultType]::ParameterName, 'Index to use [default: default]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colors')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as JSON')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print more detail')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print more detail')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'rag;init' {
            [CompletionResult]::new('--data-dir', '--data-dir', [CompletionResultType]::ParameterName, 'Folder for models, indexes and caches [default: data]')
            [CompletionResult]::new('--index', '--index', [CompletionResultType]::ParameterName, 'Index to use [default: default]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colors')
            [CompletionResult]::new('--force', '--force', [CompletionResultType]::ParameterName, 'Overwrite an existing rag.toml')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as JSON')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print more detail')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print more detail')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'rag;config' {
            [CompletionResult]::new('--data-dir', '--data-dir', [CompletionResultType]::ParameterName, 'Folder for models, indexes and caches [default: data]')
            [CompletionResult]::new('--index', '--index', [CompletionResultType]::ParameterName, 'Index to use [default: default]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colors')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as JSON')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print more detail')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print more detail')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('list', 'list', [CompletionResultType]::ParameterValue, 'List settings, and where each is set')
            [CompletionResult]::new('get', 'get', [CompletionResultType]::ParameterValue, 'Print a setting')
            [CompletionResult]::new('set', 'set', [CompletionResultType]::ParameterValue, 'Set a setting in the user''s file')
            [CompletionResult]::new('unset', 'unset', [CompletionResultType]::ParameterValue, 'Remove a setting from the user''s file')
            [CompletionResult]::new('edit', 'edit', [CompletionResultType]::ParameterValue, 'Open the user''s file in an editor')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'rag;config;list' {
            [CompletionResult]::new('--data-dir', '--data-dir', [CompletionResultType]::ParameterName, 'Folder for models, indexes and caches [default: data]')
            [CompletionResult]::new('--index', '--index', [CompletionResultType]::ParameterName, 'Index to use [default: default]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colors')
            [CompletionResult]::new('--changed', '--changed', [CompletionResultType]::ParameterName, 'Only settings that are not built in')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as JSON')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print more detail')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print more detail')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'rag;config;get' {
            [CompletionResult]::new('--data-dir', '--data-dir', [CompletionResultType]::ParameterName, 'Folder for models, indexes and caches [default: data]')
            [CompletionResult]::new('--index', '--index', [CompletionResultType]::ParameterName, 'Index to use [default: default]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colors')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as JSON')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print more detail')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print more detail')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'rag;config;set' {
            [CompletionResult]::new('--data-dir', '--data-dir', [CompletionResultType]::ParameterName, 'Folder for models, indexes and caches [default: data]')
            [CompletionResult]::new('--index', '--index', [CompletionResultType]::ParameterName, 'Index to use [default: default]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colors')
            [CompletionResult]::new('--project', '--project', [CompletionResultType]::ParameterName, 'Set it in ./rag.toml, for this folder only')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as JSON')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print more detail')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print more detail')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'rag;config;unset' {
            [CompletionResult]::new('--data-dir', '--data-dir', [CompletionResultType]::ParameterName, 'Folder for models, indexes and caches [default: data]')
            [CompletionResult]::new('--index', '--index', [CompletionResultType]::ParameterName, 'Index to use [default: default]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colors')
            [CompletionResult]::new('--project', '--project', [CompletionResultType]::ParameterName, 'Remove it from ./rag.toml')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as JSON')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print more detail')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print more detail')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'rag;config;edit' {
            [CompletionResult]::new('--data-dir', '--data-dir', [CompletionResultType]::ParameterName, 'Folder for models, indexes and caches [default: data]')
            [CompletionResult]::new('--index', '--index', [CompletionResultType]::ParameterName, 'Index to use [default: default]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colors')
            [CompletionResult]::new('--project', '--project', [CompletionResultType]::ParameterName, 'Open ./rag.toml')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as JSON')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print more detail')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print more detail')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'rag;config;help' {
            [CompletionResult]::new('list', 'list', [CompletionResultType]::ParameterValue, 'List settings, and where each is set')
            [CompletionResult]::new('get', 'get', [CompletionResultType]::ParameterValue, 'Print a setting')
            [CompletionResult]::new('set', 'set', [CompletionResultType]::ParameterValue, 'Set a setting in the user''s file')
            [CompletionResult]::new('unset', 'unset', [CompletionResultType]::ParameterValue, 'Remove a setting from the user''s file')
            [CompletionResult]::new('edit', 'edit', [CompletionResultType]::ParameterValue, 'Open the user''s file in an editor')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'rag;config;help;list' {
            break
        }
        'rag;config;help;get' {
            break
        }
        'rag;config;help;set' {
            break
        }
        'rag;config;help;unset' {
            break
        }
        'rag;config;help;edit' {
            break
        }
        'rag;config;help;help' {
            break
        }
        'rag;completions' {
            [CompletionResult]::new('--data-dir', '--data-dir', [CompletionResultType]::ParameterName, 'Folder for models, indexes and caches [default: data]')
            [CompletionResult]::new('--index', '--index', [CompletionResultType]::ParameterName, 'Index to use [default: default]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colors')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as JSON')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print more detail')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print more detail')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'rag;man' {
            [CompletionResult]::new('--data-dir', '--data-dir', [CompletionResultType]::ParameterName, 'Folder for models, indexes and caches [default: data]')
            [CompletionResult]::new('--index', '--index', [CompletionResultType]::ParameterName, 'Index to use [default: default]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colors')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as JSON')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print more detail')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print more detail')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'rag;help' {
            [CompletionResult]::new('ingest', 'ingest', [CompletionResultType]::ParameterValue, 'Index folders or update their index')
            [CompletionResult]::new('jobs', 'jobs', [CompletionResultType]::ParameterValue, 'List, follow, cancel, retry and run jobs')
            [CompletionResult]::new('search', 'search', [CompletionResultType]::ParameterValue, 'Rank the passages that match a question')
            [CompletionResult]::new('ask', 'ask', [CompletionResultType]::ParameterValue, 'Answer a question from the index, with citations')
            [CompletionResult]::new('chat', 'chat', [CompletionResultType]::ParameterValue, 'Ask questions interactively')
            [CompletionResult]::new('open', 'open', [CompletionResultType]::ParameterValue, 'Open a source of the last answer or search')
            [CompletionResult]::new('show', 'show', [CompletionResultType]::ParameterValue, 'Show a passage and what is around it')
            [CompletionResult]::new('sessions', 'sessions', [CompletionResultType]::ParameterValue, 'List, show, export and remove conversations')
            [CompletionResult]::new('index', 'index', [CompletionResultType]::ParameterValue, 'List, verify, move and remove indexes')
            [CompletionResult]::new('documents', 'documents', [CompletionResultType]::ParameterValue, 'List, show and remove the documents of an index')
            [CompletionResult]::new('cache', 'cache', [CompletionResultType]::ParameterValue, 'Show, empty and warm the cache')
            [CompletionResult]::new('model', 'model', [CompletionResultType]::ParameterValue, 'List, verify, add and download embedding models')
            [CompletionResult]::new('serve', 'serve', [CompletionResultType]::ParameterValue, 'Serve a web page and an HTTP API')
            [CompletionResult]::new('token', 'token', [CompletionResultType]::ParameterValue, 'Add, list and revoke access tokens of `rag serve`')
            [CompletionResult]::new('eval', 'eval', [CompletionResultType]::ParameterValue, 'Measure search and answers on questions with known answers')
            [CompletionResult]::new('mcp', 'mcp', [CompletionResultType]::ParameterValue, 'Serve the indexes to agents over the Model Context Protocol')
            [CompletionResult]::new('stats', 'stats', [CompletionResultType]::ParameterValue, 'Show usage statistics')
            [CompletionResult]::new('worker', 'worker', [CompletionResultType]::ParameterValue, 'Run jobs until interrupted')
            [CompletionResult]::new('migrate', 'migrate', [CompletionResultType]::ParameterValue, 'Bring the database schema up to date')
            [CompletionResult]::new('status', 'status', [CompletionResultType]::ParameterValue, 'Show what is indexed, how fresh it is, and what could be better')
            [CompletionResult]::new('doctor', 'doctor', [CompletionResultType]::ParameterValue, 'Check the data directory, library, model, index, cache and outside services')
            [CompletionResult]::new('init', 'init', [CompletionResultType]::ParameterValue, 'Make a configuration file for this folder')
            [CompletionResult]::new('config', 'config', [CompletionResultType]::ParameterValue, 'Show and change settings')
            [CompletionResult]::new('completions', 'completions', [CompletionResultType]::ParameterValue, 'Print a shell completion script')
            [CompletionResult]::new('man', 'man', [CompletionResultType]::ParameterValue, 'Print a man page')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'rag;help;ingest' {
            break
        }
        'rag;help;jobs' {
            [CompletionResult]::new('list', 'list', [CompletionResultType]::ParameterValue, 'List jobs, oldest first')
            [CompletionResult]::new('show', 'show', [CompletionResultType]::ParameterValue, 'Show a job')
            [CompletionResult]::new('cancel', 'cancel', [CompletionResultType]::ParameterValue, 'Cancel a queued or running job')
            [CompletionResult]::new('retry', 'retry', [CompletionResultType]::ParameterValue, 'Queue a failed or cancelled job again')
            [CompletionResult]::new('clean', 'clean', [CompletionResultType]::ParameterValue, 'Delete records of finished jobs')
            [CompletionResult]::new('run', 'run', [CompletionResultType]::ParameterValue, 'Run queued jobs until none is left')
            break
        }
        'rag;help;jobs;list' {
            break
        }
        'rag;help;jobs;show' {
            break
        }
        'rag;help;jobs;cancel' {
            break
        }
        'rag;help;jobs;retry' {
            break
        }
        'rag;help;jobs;clean' {
            break
        }
        'rag;help;jobs;run' {
            break
        }
        'rag;help;search' {
            break
        }
        'rag;help;ask' {
            break
        }
        'rag;help;chat' {
            break
        }
        'rag;help;open' {
            break
        }
        'rag;help;show' {
            break
        }
        'rag;help;sessions' {
            [CompletionResult]::new('list', 'list', [CompletionResultType]::ParameterValue, 'List conversations, last used first')
            [CompletionResult]::new('show', 'show', [CompletionResultType]::ParameterValue, 'Print a conversation')
            [CompletionResult]::new('export', 'export', [CompletionResultType]::ParameterValue, 'Export a conversation as JSON lines')
            [CompletionResult]::new('remove', 'remove', [CompletionResultType]::ParameterValue, 'Remove conversations')
            break
        }
        'rag;help;sessions;list' {
            break
        }
        'rag;help;sessions;show' {
            break
        }
        'rag;help;sessions;export' {
            break
        }
        'rag;help;sessions;remove' {
            break
        }
        'rag;help;index' {
            [CompletionResult]::new('list', 'list', [CompletionResultType]::ParameterValue, 'List the indexes in the data directory')
            [CompletionResult]::new('show', 'show', [CompletionResultType]::ParameterValue, 'Show the contents and settings of an index')
            [CompletionResult]::new('verify', 'verify', [CompletionResultType]::ParameterValue, 'Check every byte of an index and report damage')
            [CompletionResult]::new('save', 'save', [CompletionResultType]::ParameterValue, 'Save an index to a single file')
            [CompletionResult]::new('load', 'load', [CompletionResultType]::ParameterValue, 'Load an index from a file, checking every byte first')
            [CompletionResult]::new('push', 'push', [CompletionResultType]::ParameterValue, 'Copy an index to a bucket or a shared folder')
            [CompletionResult]::new('pull', 'pull', [CompletionResultType]::ParameterValue, 'Copy an index from a bucket or a shared folder, checking every byte')
            [CompletionResult]::new('gc', 'gc', [CompletionResultType]::ParameterValue, 'Delete files from the bucket that no index needs any more')
            [CompletionResult]::new('rollback', 'rollback', [CompletionResultType]::ParameterValue, 'Roll back to the previous generation (repeat to undo)')
            [CompletionResult]::new('compact', 'compact', [CompletionResultType]::ParameterValue, 'Rewrite an index without the remains of removed documents')
            [CompletionResult]::new('remove-folder', 'remove-folder', [CompletionResultType]::ParameterValue, 'Remove a folder from an index; files on disk are not touched')
            [CompletionResult]::new('remove', 'remove', [CompletionResultType]::ParameterValue, 'Remove an index; files on disk are not touched')
            break
        }
        'rag;help;index;list' {
            break
        }
        'rag;help;index;show' {
            break
        }
        'rag;help;index;verify' {
            break
        }
        'rag;help;index;save' {
            break
        }
        'rag;help;index;load' {
            break
        }
        'rag;help;index;push' {
            break
        }
        'rag;help;index;pull' {
            break
        }
        'rag;help;index;gc' {
            break
        }
        'rag;help;index;rollback' {
            break
        }
        'rag;help;index;compact' {
            break
        }
        'rag;help;index;remove-folder' {
            break
        }
        'rag;help;index;remove' {
            break
        }
        'rag;help;documents' {
            [CompletionResult]::new('list', 'list', [CompletionResultType]::ParameterValue, 'List documents')
            [CompletionResult]::new('show', 'show', [CompletionResultType]::ParameterValue, 'Show a document and its passages')
            [CompletionResult]::new('remove', 'remove', [CompletionResultType]::ParameterValue, 'Remove documents from the index permanently; files on disk are not touched')
            [CompletionResult]::new('restore', 'restore', [CompletionResultType]::ParameterValue, 'Let the next ingest add removed documents again')
            break
        }
        'rag;help;documents;list' {
            break
        }
        'rag;help;documents;show' {
            break
        }
        'rag;help;documents;remove' {
            break
        }
        'rag;help;documents;restore' {
            break
        }
        'rag;help;cache' {
            [CompletionResult]::new('stats', 'stats', [CompletionResultType]::ParameterValue, 'Show rows, size and hit rate of every table')
            [CompletionResult]::new('purge', 'purge', [CompletionResultType]::ParameterValue, 'Empty tables and free their disk space')
            [CompletionResult]::new('warm', 'warm', [CompletionResultType]::ParameterValue, 'Answer a file of questions in advance')
            break
        }
        'rag;help;cache;stats' {
            break
        }
        'rag;help;cache;purge' {
            break
        }
        'rag;help;cache;warm' {
            break
        }
        'rag;help;model' {
            [CompletionResult]::new('list', 'list', [CompletionResultType]::ParameterValue, 'List the models on this machine')
            [CompletionResult]::new('verify', 'verify', [CompletionResultType]::ParameterValue, 'Check every byte of the models and the ONNX Runtime library')
            [CompletionResult]::new('add', 'add', [CompletionResultType]::ParameterValue, 'Add a sentence-transformers folder with an ONNX file')
            [CompletionResult]::new('pull', 'pull', [CompletionResultType]::ParameterValue, 'Download a model from the Hugging Face Hub or HF_ENDPOINT')
            break
        }
        'rag;help;model;list' {
            break
        }
        'rag;help;model;verify' {
            break
        }
        'rag;help;model;add' {
            break
        }
        'rag;help;model;pull' {
            break
        }
        'rag;help;serve' {
            break
        }
        'rag;help;token' {
            [CompletionResult]::new('add', 'add', [CompletionResultType]::ParameterValue, 'Add a token and print it')
            [CompletionResult]::new('list', 'list', [CompletionResultType]::ParameterValue, 'List tokens, oldest first')
            [CompletionResult]::new('revoke', 'revoke', [CompletionResultType]::ParameterValue, 'Revoke a token')
            break
        }
        'rag;help;token;add' {
            break
        }
        'rag;help;token;list' {
            break
        }
        'rag;help;token;revoke' {
            break
        }
        'rag;help;eval' {
            [CompletionResult]::new('init', 'init', [CompletionResultType]::ParameterValue, 'Print questions that users asked, for `rag eval`')
            break
        }
        'rag;help;eval;init' {
            break
        }
        'rag;help;mcp' {
            break
        }
        'rag;help;stats' {
            break
        }
        'rag;help;worker' {
            break
        }
        'rag;help;migrate' {
            break
        }
        'rag;help;status' {
            break
        }
        'rag;help;doctor' {
            break
        }
        'rag;help;init' {
            break
        }
        'rag;help;config' {
            [CompletionResult]::new('list', 'list', [CompletionResultType]::ParameterValue, 'List settings, and where each is set')
            [CompletionResult]::new('get', 'get', [CompletionResultType]::ParameterValue, 'Print a setting')
            [CompletionResult]::new('set', 'set', [CompletionResultType]::ParameterValue, 'Set a setting in the user''s file')
            [CompletionResult]::new('unset', 'unset', [CompletionResultType]::ParameterValue, 'Remove a setting from the user''s file')
            [CompletionResult]::new('edit', 'edit', [CompletionResultType]::ParameterValue, 'Open the user''s file in an editor')
            break
        }
        'rag;help;config;list' {
            break
        }
        'rag;help;config;get' {
            break
        }
        'rag;help;config;set' {
            break
        }
        'rag;help;config;unset' {
            break
        }
        'rag;help;config;edit' {
            break
        }
        'rag;help;completions' {
            break
        }
        'rag;help;man' {
            break
        }
        'rag;help;help' {
            break
        }
    })

    $completions.Where{ $_.CompletionText -like "$wordToComplete*" } |
        Sort-Object -Property ListItemText
}
