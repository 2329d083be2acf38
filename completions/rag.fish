# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_rag_global_optspecs
    string join \n data-dir= index= json q/quiet v/verbose color= h/help V/version
end

function __fish_rag_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_rag_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_rag_using_subcommand
    set -l cmd (__fish_rag_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c rag -n "__fish_rag_needs_command" -l data-dir -d 'Folder for models, indexes and caches [default: data]' -r -F
complete -c rag -n "__fish_rag_needs_command" -l index -d 'Index to use [default: default]' -r
complete -c rag -n "__fish_rag_needs_command" -l color -d 'When to use colors' -r -f -a "auto\t''
always\t''
never\t''"
complete -c rag -n "__fish_rag_needs_command" -l json -d 'Print results as JSON'
complete -c rag -n "__fish_rag_needs_command" -s q -l quiet -d 'Print only results and errors'
complete -c rag -n "__fish_rag_needs_command" -s v -l verbose -d 'Print more detail'
complete -c rag -n "__fish_rag_needs_command" -s h -l help -d 'Print help'
complete -c rag -n "__fish_rag_needs_command" -s V -l version -d 'Print version'
complete -c rag -n "__fish_rag_needs_command" -f -a "ingest" -d 'Index folders or update their index'
complete -c rag -n "__fish_rag_needs_command" -f -a "jobs" -d 'List, follow, cancel, retry and run jobs'
complete -c rag -n "__fish_rag_needs_command" -f -a "search" -d 'Rank the passages that match a question'
complete -c rag -n "__fish_rag_needs_command" -f -a "ask" -d 'Answer a question from the index, with citations'
complete -c rag -n "__fish_rag_needs_command" -f -a "chat" -d 'Ask questions interactively'
complete -c rag -n "__fish_rag_needs_command" -f -a "sessions" -d 'List, show, export and remove conversations'
complete -c rag -n "__fish_rag_needs_command" -f -a "index" -d 'List, verify, move and remove indexes'
complete -c rag -n "__fish_rag_needs_command" -f -a "documents" -d 'List, show and remove the documents of an index'
complete -c rag -n "__fish_rag_needs_command" -f -a "cache" -d 'Show, empty and warm the cache'
complete -c rag -n "__fish_rag_needs_command" -f -a "model" -d 'List, verify, add and download embedding models'
complete -c rag -n "__fish_rag_needs_command" -f -a "serve" -d 'Serve a web page and an HTTP API'
complete -c rag -n "__fish_rag_needs_command" -f -a "token" -d 'Add, list and revoke access tokens of `rag serve`'
complete -c rag -n "__fish_rag_needs_command" -f -a "eval" -d 'Measure search and answers on questions with known answers'
complete -c rag -n "__fish_rag_needs_command" -f -a "mcp" -d 'Serve the indexes to agents over the Model Context Protocol'
complete -c rag -n "__fish_rag_needs_command" -f -a "stats" -d 'Show usage statistics'
complete -c rag -n "__fish_rag_needs_command" -f -a "worker" -d 'Run jobs until interrupted'
complete -c rag -n "__fish_rag_needs_command" -f -a "migrate" -d 'Bring the database schema up to date'
complete -c rag -n "__fish_rag_needs_command" -f -a "doctor" -d 'Check the data directory, library, model, index, cache and outside services'
complete -c rag -n "__fish_rag_needs_command" -f -a "completions" -d 'Print a shell completion script'
complete -c rag -n "__fish_rag_needs_command" -f -a "man" -d 'Print a man page'
complete -c rag -n "__fish_rag_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c rag -n "__fish_rag_using_subcommand ingest" -l dir -d 'Folder to index (repeatable); same as the argument DIR' -r -F
complete -c rag -n "__fish_rag_using_subcommand ingest" -l url -d 'Web page to index (repeatable); the URL of a sitemap means the pages that it lists' -r
complete -c rag -n "__fish_rag_using_subcommand ingest" -l model -d 'Embedding model [default: all-MiniLM-L6-v2]' -r
complete -c rag -n "__fish_rag_using_subcommand ingest" -l include -d 'Index only files matching GLOB, as in .gitignore (repeatable)' -r
complete -c rag -n "__fish_rag_using_subcommand ingest" -l exclude -d 'Skip files matching GLOB, as in .gitignore (repeatable)' -r
complete -c rag -n "__fish_rag_using_subcommand ingest" -l wait -d 'Wait up to SECONDS for another writer' -r
complete -c rag -n "__fish_rag_using_subcommand ingest" -l threads -d 'Threads for reading and embedding [default: one per core]' -r
complete -c rag -n "__fish_rag_using_subcommand ingest" -l poll -d 'Poll for changes every SECONDS, for network drives' -r
complete -c rag -n "__fish_rag_using_subcommand ingest" -l priority -d 'Priority of the background job' -r -f -a "critical\t''
high\t''
normal\t''
low\t''
background\t''"
complete -c rag -n "__fish_rag_using_subcommand ingest" -l after -d 'Start only after job ID has succeeded (repeatable)' -r
complete -c rag -n "__fish_rag_using_subcommand ingest" -l data-dir -d 'Folder for models, indexes and caches [default: data]' -r -F
complete -c rag -n "__fish_rag_using_subcommand ingest" -l index -d 'Index to use [default: default]' -r
complete -c rag -n "__fish_rag_using_subcommand ingest" -l color -d 'When to use colors' -r -f -a "auto\t''
always\t''
never\t''"
complete -c rag -n "__fish_rag_using_subcommand ingest" -l sitemap -d 'Index the pages that the site\'s sitemap lists below each URL'
complete -c rag -n "__fish_rag_using_subcommand ingest" -l only -d 'Remove all other folders from the index'
complete -c rag -n "__fish_rag_using_subcommand ingest" -l yes -d 'Do not ask for confirmation'
complete -c rag -n "__fish_rag_using_subcommand ingest" -l no-cache -d 'Do not read or write the embedding cache'
complete -c rag -n "__fish_rag_using_subcommand ingest" -l retry-failed -d 'Retry unchanged files that failed before'
complete -c rag -n "__fish_rag_using_subcommand ingest" -l detach -d 'Queue a background job and print its id'
complete -c rag -n "__fish_rag_using_subcommand ingest" -l watch -d 'Keep running; re-ingest on change'
complete -c rag -n "__fish_rag_using_subcommand ingest" -l json -d 'Print results as JSON'
complete -c rag -n "__fish_rag_using_subcommand ingest" -s q -l quiet -d 'Print only results and errors'
complete -c rag -n "__fish_rag_using_subcommand ingest" -s v -l verbose -d 'Print more detail'
complete -c rag -n "__fish_rag_using_subcommand ingest" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c rag -n "__fish_rag_using_subcommand jobs; and not __fish_seen_subcommand_from list show cancel retry clean run help" -l data-dir -d 'Folder for models, indexes and caches [default: data]' -r -F
complete -c rag -n "__fish_rag_using_subcommand jobs; and not __fish_seen_subcommand_from list show cancel retry clean run help" -l index -d 'Index to use [default: default]' -r
complete -c rag -n "__fish_rag_using_subcommand jobs; and not __fish_seen_subcommand_from list show cancel retry clean run help" -l color -d 'When to use colors' -r -f -a "auto\t''
always\t''
never\t''"
complete -c rag -n "__fish_rag_using_subcommand jobs; and not __fish_seen_subcommand_from list show cancel retry clean run help" -l json -d 'Print results as JSON'
complete -c rag -n "__fish_rag_using_subcommand jobs; and not __fish_seen_subcommand_from list show cancel retry clean run help" -s q -l quiet -d 'Print only results and errors'
complete -c rag -n "__fish_rag_using_subcommand jobs; and not __fish_seen_subcommand_from list show cancel retry clean run help" -s v -l verbose -d 'Print more detail'
complete -c rag -n "__fish_rag_using_subcommand jobs; and not __fish_seen_subcommand_from list show cancel retry clean run help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c rag -n "__fish_rag_using_subcommand jobs; and not __fish_seen_subcommand_from list show cancel retry clean run help" -f -a "list" -d 'List jobs, oldest first'
complete -c rag -n "__fish_rag_using_subcommand jobs; and not __fish_seen_subcommand_from list show cancel retry clean run help" -f -a "show" -d 'Show a job'
complete -c rag -n "__fish_rag_using_subcommand jobs; and not __fish_seen_subcommand_from list show cancel retry clean run help" -f -a "cancel" -d 'Cancel a queued or running job'
complete -c rag -n "__fish_rag_using_subcommand jobs; and not __fish_seen_subcommand_from list show cancel retry clean run help" -f -a "retry" -d 'Queue a failed or cancelled job again'
complete -c rag -n "__fish_rag_using_subcommand jobs; and not __fish_seen_subcommand_from list show cancel retry clean run help" -f -a "clean" -d 'Delete records of finished jobs'
complete -c rag -n "__fish_rag_using_subcommand jobs; and not __fish_seen_subcommand_from list show cancel retry clean run help" -f -a "run" -d 'Run queued jobs until none is left'
complete -c rag -n "__fish_rag_using_subcommand jobs; and not __fish_seen_subcommand_from list show cancel retry clean run help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c rag -n "__fish_rag_using_subcommand jobs; and __fish_seen_subcommand_from list" -l data-dir -d 'Folder for models, indexes and caches [default: data]' -r -F
complete -c rag -n "__fish_rag_using_subcommand jobs; and __fish_seen_subcommand_from list" -l index -d 'Index to use [default: default]' -r
complete -c rag -n "__fish_rag_using_subcommand jobs; and __fish_seen_subcommand_from list" -l color -d 'When to use colors' -r -f -a "auto\t''
always\t''
never\t''"
complete -c rag -n "__fish_rag_using_subcommand jobs; and __fish_seen_subcommand_from list" -l json -d 'Print results as JSON'
complete -c rag -n "__fish_rag_using_subcommand jobs; and __fish_seen_subcommand_from list" -s q -l quiet -d 'Print only results and errors'
complete -c rag -n "__fish_rag_using_subcommand jobs; and __fish_seen_subcommand_from list" -s v -l verbose -d 'Print more detail'
complete -c rag -n "__fish_rag_using_subcommand jobs; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help'
complete -c rag -n "__fish_rag_using_subcommand jobs; and __fish_seen_subcommand_from show" -l data-dir -d 'Folder for models, indexes and caches [default: data]' -r -F
complete -c rag -n "__fish_rag_using_subcommand jobs; and __fish_seen_subcommand_from show" -l index -d 'Index to use [default: default]' -r
complete -c rag -n "__fish_rag_using_subcommand jobs; and __fish_seen_subcommand_from show" -l color -d 'When to use colors' -r -f -a "auto\t''
always\t''
never\t''"
complete -c rag -n "__fish_rag_using_subcommand jobs; and __fish_seen_subcommand_from show" -l follow -d 'Wait for the job to finish, and exit as it did'
complete -c rag -n "__fish_rag_using_subcommand jobs; and __fish_seen_subcommand_from show" -l json -d 'Print results as JSON'
complete -c rag -n "__fish_rag_using_subcommand jobs; and __fish_seen_subcommand_from show" -s q -l quiet -d 'Print only results and errors'
complete -c rag -n "__fish_rag_using_subcommand jobs; and __fish_seen_subcommand_from show" -s v -l verbose -d 'Print more detail'
complete -c rag -n "__fish_rag_using_subcommand jobs; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help'
complete -c rag -n "__fish_rag_using_subcommand jobs; and __fish_seen_subcommand_from cancel" -l data-dir -d 'Folder for models, indexes and caches [default: data]' -r -F
complete -c rag -n "__fish_rag_using_subcommand jobs; and __fish_seen_subcommand_from cancel" -l index -d 'Index to use [default: default]' -r
complete -c rag -n "__fish_rag_using_subcommand jobs; and __fish_seen_subcommand_from cancel" -l color -d 'When to use colors' -r -f -a "auto\t''
always\t''
never\t''"
complete -c rag -n "__fish_rag_using_subcommand jobs; and __fish_seen_subcommand_from cancel" -l json -d 'Print results as JSON'
complete -c rag -n "__fish_rag_using_subcommand jobs; and __fish_seen_subcommand_from cancel" -s q -l quiet -d 'Print only results and errors'
complete -c rag -n "__fish_rag_using_subcommand jobs; and __fish_seen_subcommand_from cancel" -s v -l verbose -d 'Print more detail'
complete -c rag -n "__fish_rag_using_subcommand jobs; and __fish_seen_subcommand_from cancel" -s h -l help -d 'Print help'
complete -c rag -n "__fish_rag_using_subcommand jobs; and __fish_seen_subcommand_from retry" -l data-dir -d 'Folder for models, indexes and caches [default: data]' -r -F
complete -c rag -n "__fish_rag_using_subcommand jobs; and __fish_seen_subcommand_from retry" -l index -d 'Index to use [default: default]' -r
complete -c rag -n "__fish_rag_using_subcommand jobs; and __fish_seen_subcommand_from retry" -l color -d 'When to use colors' -r -f -a "auto\t''
always\t''
never\t''"
complete -c rag -n "__fish_rag_using_subcommand jobs; and __fish_seen_subcommand_from retry" -l json -d 'Print results as JSON'
complete -c rag -n "__fish_rag_using_subcommand jobs; and __fish_seen_subcommand_from retry" -s q -l quiet -d 'Print only results and errors'
complete -c rag -n "__fish_rag_using_subcommand jobs; and __fish_seen_subcommand_from retry" -s v -l verbose -d 'Print more detail'
complete -c rag -n "__fish_rag_using_subcommand jobs; and __fish_seen_subcommand_from retry" -s h -l help -d 'Print help'
complete -c rag -n "__fish_rag_using_subcommand jobs; and __fish_seen_subcommand_from clean" -l older-than -d 'Only jobs that ended more than HOURS ago [default: setting `jobs.keep_hours`]' -r
complete -c rag -n "__fish_rag_using_subcommand jobs; and __fish_seen_subcommand_from clean" -l data-dir -d 'Folder for models, indexes and caches [default: data]' -r -F
complete -c rag -n "__fish_rag_using_subcommand jobs; and __fish_seen_subcommand_from clean" -l index -d 'Index to use [default: default]' -r
complete -c rag -n "__fish_rag_using_subcommand jobs; and __fish_seen_subcommand_from clean" -l color -d 'When to use colors' -r -f -a "auto\t''
always\t''
never\t''"
complete -c rag -n "__fish_rag_using_subcommand jobs; and __fish_seen_subcommand_from clean" -l json -d 'Print results as JSON'
complete -c rag -n "__fish_rag_using_subcommand jobs; and __fish_seen_subcommand_from clean" -s q -l quiet -d 'Print only results and errors'
complete -c rag -n "__fish_rag_using_subcommand jobs; and __fish_seen_subcommand_from clean" -s v -l verbose -d 'Print more detail'
complete -c rag -n "__fish_rag_using_subcommand jobs; and __fish_seen_subcommand_from clean" -s h -l help -d 'Print help'
complete -c rag -n "__fish_rag_using_subcommand jobs; and __fish_seen_subcommand_from run" -l data-dir -d 'Folder for models, indexes and caches [default: data]' -r -F
complete -c rag -n "__fish_rag_using_subcommand jobs; and __fish_seen_subcommand_from run" -l index -d 'Index to use [default: default]' -r
complete -c rag -n "__fish_rag_using_subcommand jobs; and __fish_seen_subcommand_from run" -l color -d 'When to use colors' -r -f -a "auto\t''
always\t''
never\t''"
complete -c rag -n "__fish_rag_using_subcommand jobs; and __fish_seen_subcommand_from run" -l one -d 'Run one job in this process'
complete -c rag -n "__fish_rag_using_subcommand jobs; and __fish_seen_subcommand_from run" -l detached -d 'Start a new session, to survive the end of the terminal'
complete -c rag -n "__fish_rag_using_subcommand jobs; and __fish_seen_subcommand_from run" -l json -d 'Print results as JSON'
complete -c rag -n "__fish_rag_using_subcommand jobs; and __fish_seen_subcommand_from run" -s q -l quiet -d 'Print only results and errors'
complete -c rag -n "__fish_rag_using_subcommand jobs; and __fish_seen_subcommand_from run" -s v -l verbose -d 'Print more detail'
complete -c rag -n "__fish_rag_using_subcommand jobs; and __fish_seen_subcommand_from run" -s h -l help -d 'Print help'
complete -c rag -n "__fish_rag_using_subcommand jobs; and __fish_seen_subcommand_from help" -f -a "list" -d 'List jobs, oldest first'
complete -c rag -n "__fish_rag_using_subcommand jobs; and __fish_seen_subcommand_from help" -f -a "show" -d 'Show a job'
complete -c rag -n "__fish_rag_using_subcommand jobs; and __fish_seen_subcommand_from help" -f -a "cancel" -d 'Cancel a queued or running job'
complete -c rag -n "__fish_rag_using_subcommand jobs; and __fish_seen_subcommand_from help" -f -a "retry" -d 'Queue a failed or cancelled job again'
complete -c rag -n "__fish_rag_using_subcommand jobs; and __fish_seen_subcommand_from help" -f -a "clean" -d 'Delete records of finished jobs'
complete -c rag -n "__fish_rag_using_subcommand jobs; and __fish_seen_subcommand_from help" -f -a "run" -d 'Run queued jobs until none is left'
complete -c rag -n "__fish_rag_using_subcommand jobs; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c rag -n "__fish_rag_using_subcommand search" -s k -d 'Number of passages [default: 10]' -r
complete -c rag -n "__fish_rag_using_subcommand search" -l mode -d 'Retrievers to use [default: hybrid]' -r -f -a "hybrid\t''
lexical\t''
dense\t''"
complete -c rag -n "__fish_rag_using_subcommand search" -l filter -d 'Only documents that match, such as `type:markdown and not path:drafts/**`' -r
complete -c rag -n "__fish_rag_using_subcommand search" -l rerank -d 'Rerank the top N passages, with `rerank.model` [default: 20]' -r
complete -c rag -n "__fish_rag_using_subcommand search" -l data-dir -d 'Folder for models, indexes and caches [default: data]' -r -F
complete -c rag -n "__fish_rag_using_subcommand search" -l index -d 'Index to use [default: default]' -r
complete -c rag -n "__fish_rag_using_subcommand search" -l color -d 'When to use colors' -r -f -a "auto\t''
always\t''
never\t''"
complete -c rag -n "__fish_rag_using_subcommand search" -l explain -d 'Show rank, score and weight of every retriever'
complete -c rag -n "__fish_rag_using_subcommand search" -l no-cache -d 'Do not read or write the cache'
complete -c rag -n "__fish_rag_using_subcommand search" -l json -d 'Print results as JSON'
complete -c rag -n "__fish_rag_using_subcommand search" -s q -l quiet -d 'Print only results and errors'
complete -c rag -n "__fish_rag_using_subcommand search" -s v -l verbose -d 'Print more detail'
complete -c rag -n "__fish_rag_using_subcommand search" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c rag -n "__fish_rag_using_subcommand ask" -l batch -d 'Answer every line of FILE (`-`: standard input), one JSON object per line' -r -F
complete -c rag -n "__fish_rag_using_subcommand ask" -l session -d 'Start or continue the conversation ID' -r
complete -c rag -n "__fish_rag_using_subcommand ask" -s k -d 'Number of passages to consider [default: 10]' -r
complete -c rag -n "__fish_rag_using_subcommand ask" -l mode -d 'Retrievers to use [default: hybrid]' -r -f -a "hybrid\t''
lexical\t''
dense\t''"
complete -c rag -n "__fish_rag_using_subcommand ask" -l filter -d 'Only documents that match, such as `type:markdown and not path:drafts/**`' -r
complete -c rag -n "__fish_rag_using_subcommand ask" -l rerank -d 'Rerank the top N passages, with `rerank.model` [default: 20]' -r
complete -c rag -n "__fish_rag_using_subcommand ask" -l intent -d 'Kind of answer [default: detected from the question]' -r
complete -c rag -n "__fish_rag_using_subcommand ask" -l max-words -d 'Maximum length of the answer in words [default: 60]' -r
complete -c rag -n "__fish_rag_using_subcommand ask" -l generator -d 'Quote the documents, or have a language model write [default: extractive]' -r -f -a "extractive\t''
llm\t''"
complete -c rag -n "__fish_rag_using_subcommand ask" -l fallback -d 'Generator to use when the language model fails [default: none]' -r -f -a "none\t''
extractive\t''"
complete -c rag -n "__fish_rag_using_subcommand ask" -l data-dir -d 'Folder for models, indexes and caches [default: data]' -r -F
complete -c rag -n "__fish_rag_using_subcommand ask" -l index -d 'Index to use [default: default]' -r
complete -c rag -n "__fish_rag_using_subcommand ask" -l color -d 'When to use colors' -r -f -a "auto\t''
always\t''
never\t''"
complete -c rag -n "__fish_rag_using_subcommand ask" -l continue -d 'Continue the last used conversation'
complete -c rag -n "__fish_rag_using_subcommand ask" -l no-cache -d 'Do not read or write the cache'
complete -c rag -n "__fish_rag_using_subcommand ask" -l refresh -d 'Recompute and replace cached results'
complete -c rag -n "__fish_rag_using_subcommand ask" -l json -d 'Print results as JSON'
complete -c rag -n "__fish_rag_using_subcommand ask" -s q -l quiet -d 'Print only results and errors'
complete -c rag -n "__fish_rag_using_subcommand ask" -s v -l verbose -d 'Print more detail'
complete -c rag -n "__fish_rag_using_subcommand ask" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c rag -n "__fish_rag_using_subcommand chat" -l session -d 'Start or continue the conversation ID' -r
complete -c rag -n "__fish_rag_using_subcommand chat" -s k -d 'Number of passages to consider [default: 10]' -r
complete -c rag -n "__fish_rag_using_subcommand chat" -l mode -d 'Retrievers to use [default: hybrid]' -r -f -a "hybrid\t''
lexical\t''
dense\t''"
complete -c rag -n "__fish_rag_using_subcommand chat" -l filter -d 'Only documents that match, such as `type:markdown and not path:drafts/**`' -r
complete -c rag -n "__fish_rag_using_subcommand chat" -l rerank -d 'Rerank the top N passages, with `rerank.model` [default: 20]' -r
complete -c rag -n "__fish_rag_using_subcommand chat" -l intent -d 'Kind of answer [default: detected from the question]' -r
complete -c rag -n "__fish_rag_using_subcommand chat" -l max-words -d 'Maximum length of the answer in words [default: 60]' -r
complete -c rag -n "__fish_rag_using_subcommand chat" -l generator -d 'Quote the documents, or have a language model write [default: extractive]' -r -f -a "extractive\t''
llm\t''"
complete -c rag -n "__fish_rag_using_subcommand chat" -l fallback -d 'Generator to use when the language model fails [default: none]' -r -f -a "none\t''
extractive\t''"
complete -c rag -n "__fish_rag_using_subcommand chat" -l data-dir -d 'Folder for models, indexes and caches [default: data]' -r -F
complete -c rag -n "__fish_rag_using_subcommand chat" -l index -d 'Index to use [default: default]' -r
complete -c rag -n "__fish_rag_using_subcommand chat" -l color -d 'When to use colors' -r -f -a "auto\t''
always\t''
never\t''"
complete -c rag -n "__fish_rag_using_subcommand chat" -l continue -d 'Continue the last used conversation'
complete -c rag -n "__fish_rag_using_subcommand chat" -l no-cache -d 'Do not read or write the cache'
complete -c rag -n "__fish_rag_using_subcommand chat" -l refresh -d 'Recompute and replace cached results'
complete -c rag -n "__fish_rag_using_subcommand chat" -l json -d 'Print results as JSON'
complete -c rag -n "__fish_rag_using_subcommand chat" -s q -l quiet -d 'Print only results and errors'
complete -c rag -n "__fish_rag_using_subcommand chat" -s v -l verbose -d 'Print more detail'
complete -c rag -n "__fish_rag_using_subcommand chat" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c rag -n "__fish_rag_using_subcommand sessions; and not __fish_seen_subcommand_from list show export remove help" -l data-dir -d 'Folder for models, indexes and caches [default: data]' -r -F
complete -c rag -n "__fish_rag_using_subcommand sessions; and not __fish_seen_subcommand_from list show export remove help" -l index -d 'Index to use [default: default]' -r
complete -c rag -n "__fish_rag_using_subcommand sessions; and not __fish_seen_subcommand_from list show export remove help" -l color -d 'When to use colors' -r -f -a "auto\t''
always\t''
never\t''"
complete -c rag -n "__fish_rag_using_subcommand sessions; and not __fish_seen_subcommand_from list show export remove help" -l json -d 'Print results as JSON'
complete -c rag -n "__fish_rag_using_subcommand sessions; and not __fish_seen_subcommand_from list show export remove help" -s q -l quiet -d 'Print only results and errors'
complete -c rag -n "__fish_rag_using_subcommand sessions; and not __fish_seen_subcommand_from list show export remove help" -s v -l verbose -d 'Print more detail'
complete -c rag -n "__fish_rag_using_subcommand sessions; and not __fish_seen_subcommand_from list show export remove help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c rag -n "__fish_rag_using_subcommand sessions; and not __fish_seen_subcommand_from list show export remove help" -f -a "list" -d 'List conversations, last used first'
complete -c rag -n "__fish_rag_using_subcommand sessions; and not __fish_seen_subcommand_from list show export remove help" -f -a "show" -d 'Print a conversation'
complete -c rag -n "__fish_rag_using_subcommand sessions; and not __fish_seen_subcommand_from list show export remove help" -f -a "export" -d 'Export a conversation as JSON lines'
complete -c rag -n "__fish_rag_using_subcommand sessions; and not __fish_seen_subcommand_from list show export remove help" -f -a "remove" -d 'Remove conversations'
complete -c rag -n "__fish_rag_using_subcommand sessions; and not __fish_seen_subcommand_from list show export remove help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c rag -n "__fish_rag_using_subcommand sessions; and __fish_seen_subcommand_from list" -l data-dir -d 'Folder for models, indexes and caches [default: data]' -r -F
complete -c rag -n "__fish_rag_using_subcommand sessions; and __fish_seen_subcommand_from list" -l index -d 'Index to use [default: default]' -r
complete -c rag -n "__fish_rag_using_subcommand sessions; and __fish_seen_subcommand_from list" -l color -d 'When to use colors' -r -f -a "auto\t''
always\t''
never\t''"
complete -c rag -n "__fish_rag_using_subcommand sessions; and __fish_seen_subcommand_from list" -l json -d 'Print results as JSON'
complete -c rag -n "__fish_rag_using_subcommand sessions; and __fish_seen_subcommand_from list" -s q -l quiet -d 'Print only results and errors'
complete -c rag -n "__fish_rag_using_subcommand sessions; and __fish_seen_subcommand_from list" -s v -l verbose -d 'Print more detail'
complete -c rag -n "__fish_rag_using_subcommand sessions; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help'
complete -c rag -n "__fish_rag_using_subcommand sessions; and __fish_seen_subcommand_from show" -l data-dir -d 'Folder for models, indexes and caches [default: data]' -r -F
complete -c rag -n "__fish_rag_using_subcommand sessions; and __fish_seen_subcommand_from show" -l index -d 'Index to use [default: default]' -r
complete -c rag -n "__fish_rag_using_subcommand sessions; and __fish_seen_subcommand_from show" -l color -d 'When to use colors' -r -f -a "auto\t''
always\t''
never\t''"
complete -c rag -n "__fish_rag_using_subcommand sessions; and __fish_seen_subcommand_from show" -l json -d 'Print results as JSON'
complete -c rag -n "__fish_rag_using_subcommand sessions; and __fish_seen_subcommand_from show" -s q -l quiet -d 'Print only results and errors'
complete -c rag -n "__fish_rag_using_subcommand sessions; and __fish_seen_subcommand_from show" -s v -l verbose -d 'Print more detail'
complete -c rag -n "__fish_rag_using_subcommand sessions; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help'
complete -c rag -n "__fish_rag_using_subcommand sessions; and __fish_seen_subcommand_from export" -l to -d 'Folder to write session.jsonl to [default: `runs/session_TIME` in the data directory]' -r -F
complete -c rag -n "__fish_rag_using_subcommand sessions; and __fish_seen_subcommand_from export" -l data-dir -d 'Folder for models, indexes and caches [default: data]' -r -F
complete -c rag -n "__fish_rag_using_subcommand sessions; and __fish_seen_subcommand_from export" -l index -d 'Index to use [default: default]' -r
complete -c rag -n "__fish_rag_using_subcommand sessions; and __fish_seen_subcommand_from export" -l color -d 'When to use colors' -r -f -a "auto\t''
always\t''
never\t''"
complete -c rag -n "__fish_rag_using_subcommand sessions; and __fish_seen_subcommand_from export" -l force -d 'Overwrite an existing session.jsonl'
complete -c rag -n "__fish_rag_using_subcommand sessions; and __fish_seen_subcommand_from export" -l json -d 'Print results as JSON'
complete -c rag -n "__fish_rag_using_subcommand sessions; and __fish_seen_subcommand_from export" -s q -l quiet -d 'Print only results and errors'
complete -c rag -n "__fish_rag_using_subcommand sessions; and __fish_seen_subcommand_from export" -s v -l verbose -d 'Print more detail'
complete -c rag -n "__fish_rag_using_subcommand sessions; and __fish_seen_subcommand_from export" -s h -l help -d 'Print help'
complete -c rag -n "__fish_rag_using_subcommand sessions; and __fish_seen_subcommand_from remove" -l data-dir -d 'Folder for models, indexes and caches [default: data]' -r -F
complete -c rag -n "__fish_rag_using_subcommand sessions; and __fish_seen_subcommand_from remove" -l index -d 'Index to use [default: default]' -r
complete -c rag -n "__fish_rag_using_subcommand sessions; and __fish_seen_subcommand_from remove" -l color -d 'When to use colors' -r -f -a "auto\t''
always\t''
never\t''"
complete -c rag -n "__fish_rag_using_subcommand sessions; and __fish_seen_subcommand_from remove" -l all -d 'Remove every conversation and the history of `rag chat`'
complete -c rag -n "__fish_rag_using_subcommand sessions; and __fish_seen_subcommand_from remove" -s y -l yes -d 'Do not ask for confirmation'
complete -c rag -n "__fish_rag_using_subcommand sessions; and __fish_seen_subcommand_from remove" -l json -d 'Print results as JSON'
complete -c rag -n "__fish_rag_using_subcommand sessions; and __fish_seen_subcommand_from remove" -s q -l quiet -d 'Print only results and errors'
complete -c rag -n "__fish_rag_using_subcommand sessions; and __fish_seen_subcommand_from remove" -s v -l verbose -d 'Print more detail'
complete -c rag -n "__fish_rag_using_subcommand sessions; and __fish_seen_subcommand_from remove" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c rag -n "__fish_rag_using_subcommand sessions; and __fish_seen_subcommand_from help" -f -a "list" -d 'List conversations, last used first'
complete -c rag -n "__fish_rag_using_subcommand sessions; and __fish_seen_subcommand_from help" -f -a "show" -d 'Print a conversation'
complete -c rag -n "__fish_rag_using_subcommand sessions; and __fish_seen_subcommand_from help" -f -a "export" -d 'Export a conversation as JSON lines'
complete -c rag -n "__fish_rag_using_subcommand sessions; and __fish_seen_subcommand_from help" -f -a "remove" -d 'Remove conversations'
complete -c rag -n "__fish_rag_using_subcommand sessions; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c rag -n "__fish_rag_using_subcommand index; and not __fish_seen_subcommand_from list show verify save load push pull gc rollback compact remove-folder remove help" -l data-dir -d 'Folder for models, indexes and caches [default: data]' -r -F
complete -c rag -n "__fish_rag_using_subcommand index; and not __fish_seen_subcommand_from list show verify save load push pull gc rollback compact remove-folder remove help" -l index -d 'Index to use [default: default]' -r
complete -c rag -n "__fish_rag_using_subcommand index; and not __fish_seen_subcommand_from list show verify save load push pull gc rollback compact remove-folder remove help" -l color -d 'When to use colors' -r -f -a "auto\t''
always\t''
never\t''"
complete -c rag -n "__fish_rag_using_subcommand index; and not __fish_seen_subcommand_from list show verify save load push pull gc rollback compact remove-folder remove help" -l json -d 'Print results as JSON'
complete -c rag -n "__fish_rag_using_subcommand index; and not __fish_seen_subcommand_from list show verify save load push pull gc rollback compact remove-folder remove help" -s q -l quiet -d 'Print only results and errors'
complete -c rag -n "__fish_rag_using_subcommand index; and not __fish_seen_subcommand_from list show verify save load push pull gc rollback compact remove-folder remove help" -s v -l verbose -d 'Print more detail'
complete -c rag -n "__fish_rag_using_subcommand index; and not __fish_seen_subcommand_from list show verify save load push pull gc rollback compact remove-folder remove help" -s h -l help -d 'Print help'
complete -c rag -n "__fish_rag_using_subcommand index; and not __fish_seen_subcommand_from list show verify save load push pull gc rollback compact remove-folder remove help" -f -a "list" -d 'List the indexes in the data directory'
complete -c rag -n "__fish_rag_using_subcommand index; and not __fish_seen_subcommand_from list show verify save load push pull gc rollback compact remove-folder remove help" -f -a "show" -d 'Show the contents and settings of an index'
complete -c rag -n "__fish_rag_using_subcommand index; and not __fish_seen_subcommand_from list show verify save load push pull gc rollback compact remove-folder remove help" -f -a "verify" -d 'Check every byte of an index and report damage'
complete -c rag -n "__fish_rag_using_subcommand index; and not __fish_seen_subcommand_from list show verify save load push pull gc rollback compact remove-folder remove help" -f -a "save" -d 'Save an index to a single file'
complete -c rag -n "__fish_rag_using_subcommand index; and not __fish_seen_subcommand_from list show verify save load push pull gc rollback compact remove-folder remove help" -f -a "load" -d 'Load an index from a file, checking every byte first'
complete -c rag -n "__fish_rag_using_subcommand index; and not __fish_seen_subcommand_from list show verify save load push pull gc rollback compact remove-folder remove help" -f -a "push" -d 'Copy an index to a bucket or a shared folder'
complete -c rag -n "__fish_rag_using_subcommand index; and not __fish_seen_subcommand_from list show verify save load push pull gc rollback compact remove-folder remove help" -f -a "pull" -d 'Copy an index from a bucket or a shared folder, checking every byte'
complete -c rag -n "__fish_rag_using_subcommand index; and not __fish_seen_subcommand_from list show verify save load push pull gc rollback compact remove-folder remove help" -f -a "gc" -d 'Delete files from the bucket that no index needs any more'
complete -c rag -n "__fish_rag_using_subcommand index; and not __fish_seen_subcommand_from list show verify save load push pull gc rollback compact remove-folder remove help" -f -a "rollback" -d 'Roll back to the previous generation (repeat to undo)'
complete -c rag -n "__fish_rag_using_subcommand index; and not __fish_seen_subcommand_from list show verify save load push pull gc rollback compact remove-folder remove help" -f -a "compact" -d 'Rewrite an index without the remains of removed documents'
complete -c rag -n "__fish_rag_using_subcommand index; and not __fish_seen_subcommand_from list show verify save load push pull gc rollback compact remove-folder remove help" -f -a "remove-folder" -d 'Remove a folder from an index; files on disk are not touched'
complete -c rag -n "__fish_rag_using_subcommand index; and not __fish_seen_subcommand_from list show verify save load push pull gc rollback compact remove-folder remove help" -f -a "remove" -d 'Remove an index; files on disk are not touched'
complete -c rag -n "__fish_rag_using_subcommand index; and not __fish_seen_subcommand_from list show verify save load push pull gc rollback compact remove-folder remove help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c rag -n "__fish_rag_using_subcommand index; and __fish_seen_subcommand_from list" -l data-dir -d 'Folder for models, indexes and caches [default: data]' -r -F
complete -c rag -n "__fish_rag_using_subcommand index; and __fish_seen_subcommand_from list" -l index -d 'Index to use [default: default]' -r
complete -c rag -n "__fish_rag_using_subcommand index; and __fish_seen_subcommand_from list" -l color -d 'When to use colors' -r -f -a "auto\t''
always\t''
never\t''"
complete -c rag -n "__fish_rag_using_subcommand index; and __fish_seen_subcommand_from list" -l everywhere -d 'List the indexes of all known data directories'
complete -c rag -n "__fish_rag_using_subcommand index; and __fish_seen_subcommand_from list" -l json -d 'Print results as JSON'
complete -c rag -n "__fish_rag_using_subcommand index; and __fish_seen_subcommand_from list" -s q -l quiet -d 'Print only results and errors'
complete -c rag -n "__fish_rag_using_subcommand index; and __fish_seen_subcommand_from list" -s v -l verbose -d 'Print more detail'
complete -c rag -n "__fish_rag_using_subcommand index; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help'
complete -c rag -n "__fish_rag_using_subcommand index; and __fish_seen_subcommand_from show" -l data-dir -d 'Folder for models, indexes and caches [default: data]' -r -F
complete -c rag -n "__fish_rag_using_subcommand index; and __fish_seen_subcommand_from show" -l index -d 'Index to use [default: default]' -r
complete -c rag -n "__fish_rag_using_subcommand index; and __fish_seen_subcommand_from show" -l color -d 'When to use colors' -r -f -a "auto\t''
always\t''
never\t''"
complete -c rag -n "__fish_rag_using_subcommand index; and __fish_seen_subcommand_from show" -l json -d 'Print results as JSON'
complete -c rag -n "__fish_rag_using_subcommand index; and __fish_seen_subcommand_from show" -s q -l quiet -d 'Print only results and errors'
complete -c rag -n "__fish_rag_using_subcommand index; and __fish_seen_subcommand_from show" -s v -l verbose -d 'Print more detail'
complete -c rag -n "__fish_rag_using_subcommand index; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help'
complete -c rag -n "__fish_rag_using_subcommand index; and __fish_seen_subcommand_from verify" -l data-dir -d 'Folder for models, indexes and caches [default: data]' -r -F
complete -c rag -n "__fish_rag_using_subcommand index; and __fish_seen_subcommand_from verify" -l index -d 'Index to use [default: default]' -r
complete -c rag -n "__fish_rag_using_subcommand index; and __fish_seen_subcommand_from verify" -l color -d 'When to use colors' -r -f -a "auto\t''
always\t''
never\t''"
complete -c rag -n "__fish_rag_using_subcommand index; and __fish_seen_subcommand_from verify" -l repair -d 'Repair the index from its intact parts, its files and the embedding cache'
complete -c rag -n "__fish_rag_using_subcommand index; and __fish_seen_subcommand_from verify" -l json -d 'Print results as JSON'
complete -c rag -n "__fish_rag_using_subcommand index; and __fish_seen_subcommand_from verify" -s q -l quiet -d 'Print only results and errors'
complete -c rag -n "__fish_rag_using_subcommand index; and __fish_seen_subcommand_from verify" -s v -l verbose -d 'Print more detail'
complete -c rag -n "__fish_rag_using_subcommand index; and __fish_seen_subcommand_from verify" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c rag -n "__fish_rag_using_subcommand index; and __fish_seen_subcommand_from save" -l data-dir -d 'Folder for models, indexes and caches [default: data]' -r -F
complete -c rag -n "__fish_rag_using_subcommand index; and __fish_seen_subcommand_from save" -l index -d 'Index to use [default: default]' -r
complete -c rag -n "__fish_rag_using_subcommand index; and __fish_seen_subcommand_from save" -l color -d 'When to use colors' -r -f -a "auto\t''
always\t''
never\t''"
complete -c rag -n "__fish_rag_using_subcommand index; and __fish_seen_subcommand_from save" -l force -d 'Overwrite an existing file'
complete -c rag -n "__fish_rag_using_subcommand index; and __fish_seen_subcommand_from save" -l json -d 'Print results as JSON'
complete -c rag -n "__fish_rag_using_subcommand index; and __fish_seen_subcommand_from save" -s q -l quiet -d 'Print only results and errors'
complete -c rag -n "__fish_rag_using_subcommand index; and __fish_seen_subcommand_from save" -s v -l verbose -d 'Print more detail'
complete -c rag -n "__fish_rag_using_subcommand index; and __fish_seen_subcommand_from save" -s h -l help -d 'Print help'
complete -c rag -n "__fish_rag_using_subcommand index; and __fish_seen_subcommand_from load" -l as -d 'Name for the index [default: the name it was saved under]' -r
complete -c rag -n "__fish_rag_using_subcommand index; and __fish_seen_subcommand_from load" -l data-dir -d 'Folder for models, indexes and caches [default: data]' -r -F
complete -c rag -n "__fish_rag_using_subcommand index; and __fish_seen_subcommand_from load" -l index -d 'Index to use [default: default]' -r
complete -c rag -n "__fish_rag_using_subcommand index; and __fish_seen_subcommand_from load" -l color -d 'When to use colors' -r -f -a "auto\t''
always\t''
never\t''"
complete -c rag -n "__fish_rag_using_subcommand index; and __fish_seen_subcommand_from load" -l replace -d 'Replace an existing index of that name'
complete -c rag -n "__fish_rag_using_subcommand index; and __fish_seen_subcommand_from load" -l json -d 'Print results as JSON'
complete -c rag -n "__fish_rag_using_subcommand index; and __fish_seen_subcommand_from load" -s q -l quiet -d 'Print only results and errors'
complete -c rag -n "__fish_rag_using_subcommand index; and __fish_seen_subcommand_from load" -s v -l verbose -d 'Print more detail'
complete -c rag -n "__fish_rag_using_subcommand index; and __fish_seen_subcommand_from load" -s h -l help -d 'Print help'
complete -c rag -n "__fish_rag_using_subcommand index; and __fish_seen_subcommand_from push" -l to -d 'Bucket or folder, such as s3://bucket/rag [default: depot.url]' -r
complete -c rag -n "__fish_rag_using_subcommand index; and __fish_seen_subcommand_from push" -l data-dir -d 'Folder for models, indexes and caches [default: data]' -r -F
complete -c rag -n "__fish_rag_using_subcommand index; and __fish_seen_subcommand_from push" -l index -d 'Index to use [default: default]' -r
complete -c rag -n "__fish_rag_using_subcommand index; and __fish_seen_subcommand_from push" -l color -d 'When to use colors' -r -f -a "auto\t''
always\t''
never\t''"
complete -c rag -n "__fish_rag_using_subcommand index; and __fish_seen_subcommand_from push" -l replace -d 'Replace another index of that name, and files that are there already'
complete -c rag -n "__fish_rag_using_subcommand index; and __fish_seen_subcommand_from push" -l json -d 'Print results as JSON'
complete -c rag -n "__fish_rag_using_subcommand index; and __fish_seen_subcommand_from push" -s q -l quiet -d 'Print only results and errors'
complete -c rag -n "__fish_rag_using_subcommand index; and __fish_seen_subcommand_from push" -s v -l verbose -d 'Print more detail'
complete -c rag -n "__fish_rag_using_subcommand index; and __fish_seen_subcommand_from push" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c rag -n "__fish_rag_using_subcommand index; and __fish_seen_subcommand_from pull" -l from -d 'Bucket or folder, such as s3://bucket/rag [default: depot.url]' -r
complete -c rag -n "__fish_rag_using_subcommand index; and __fish_seen_subcommand_from pull" -l as -d 'Name for the index [default: the name it has there]' -r
complete -c rag -n "__fish_rag_using_subcommand index; and __fish_seen_subcommand_from pull" -l data-dir -d 'Folder for models, indexes and caches [default: data]' -r -F
complete -c rag -n "__fish_rag_using_subcommand index; and __fish_seen_subcommand_from pull" -l index -d 'Index to use [default: default]' -r
complete -c rag -n "__fish_rag_using_subcommand index; and __fish_seen_subcommand_from pull" -l color -d 'When to use colors' -r -f -a "auto\t''
always\t''
never\t''"
complete -c rag -n "__fish_rag_using_subcommand index; and __fish_seen_subcommand_from pull" -l replace -d 'Replace an existing index of that name'
complete -c rag -n "__fish_rag_using_subcommand index; and __fish_seen_subcommand_from pull" -l json -d 'Print results as JSON'
complete -c rag -n "__fish_rag_using_subcommand index; and __fish_seen_subcommand_from pull" -s q -l quiet -d 'Print only results and errors'
complete -c rag -n "__fish_rag_using_subcommand index; and __fish_seen_subcommand_from pull" -s v -l verbose -d 'Print more detail'
complete -c rag -n "__fish_rag_using_subcommand index; and __fish_seen_subcommand_from pull" -s h -l help -d 'Print help'
complete -c rag -n "__fish_rag_using_subcommand index; and __fish_seen_subcommand_from gc" -l data-dir -d 'Folder for models, indexes and caches [default: data]' -r -F
complete -c rag -n "__fish_rag_using_subcommand index; and __fish_seen_subcommand_from gc" -l index -d 'Index to use [default: default]' -r
complete -c rag -n "__fish_rag_using_subcommand index; and __fish_seen_subcommand_from gc" -l color -d 'When to use colors' -r -f -a "auto\t''
always\t''
never\t''"
complete -c rag -n "__fish_rag_using_subcommand index; and __fish_seen_subcommand_from gc" -l now -d 'Do not wait for the grace to pass'
complete -c rag -n "__fish_rag_using_subcommand index; and __fish_seen_subcommand_from gc" -l json -d 'Print results as JSON'
complete -c rag -n "__fish_rag_using_subcommand index; and __fish_seen_subcommand_from gc" -s q -l quiet -d 'Print only results and errors'
complete -c rag -n "__fish_rag_using_subcommand index; and __fish_seen_subcommand_from gc" -s v -l verbose -d 'Print more detail'
complete -c rag -n "__fish_rag_using_subcommand index; and __fish_seen_subcommand_from gc" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c rag -n "__fish_rag_using_subcommand index; and __fish_seen_subcommand_from rollback" -l data-dir -d 'Folder for models, indexes and caches [default: data]' -r -F
complete -c rag -n "__fish_rag_using_subcommand index; and __fish_seen_subcommand_from rollback" -l index -d 'Index to use [default: default]' -r
complete -c rag -n "__fish_rag_using_subcommand index; and __fish_seen_subcommand_from rollback" -l color -d 'When to use colors' -r -f -a "auto\t''
always\t''
never\t''"
complete -c rag -n "__fish_rag_using_subcommand index; and __fish_seen_subcommand_from rollback" -l json -d 'Print results as JSON'
complete -c rag -n "__fish_rag_using_subcommand index; and __fish_seen_subcommand_from rollback" -s q -l quiet -d 'Print only results and errors'
complete -c rag -n "__fish_rag_using_subcommand index; and __fish_seen_subcommand_from rollback" -s v -l verbose -d 'Print more detail'
complete -c rag -n "__fish_rag_using_subcommand index; and __fish_seen_subcommand_from rollback" -s h -l help -d 'Print help'
complete -c rag -n "__fish_rag_using_subcommand index; and __fish_seen_subcommand_from compact" -l data-dir -d 'Folder for models, indexes and caches [default: data]' -r -F
complete -c rag -n "__fish_rag_using_subcommand index; and __fish_seen_subcommand_from compact" -l index -d 'Index to use [default: default]' -r
complete -c rag -n "__fish_rag_using_subcommand index; and __fish_seen_subcommand_from compact" -l color -d 'When to use colors' -r -f -a "auto\t''
always\t''
never\t''"
complete -c rag -n "__fish_rag_using_subcommand index; and __fish_seen_subcommand_from compact" -l json -d 'Print results as JSON'
complete -c rag -n "__fish_rag_using_subcommand index; and __fish_seen_subcommand_from compact" -s q -l quiet -d 'Print only results and errors'
complete -c rag -n "__fish_rag_using_subcommand index; and __fish_seen_subcommand_from compact" -s v -l verbose -d 'Print more detail'
complete -c rag -n "__fish_rag_using_subcommand index; and __fish_seen_subcommand_from compact" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c rag -n "__fish_rag_using_subcommand index; and __fish_seen_subcommand_from remove-folder" -l wait -d 'Wait up to SECONDS for another writer' -r
complete -c rag -n "__fish_rag_using_subcommand index; and __fish_seen_subcommand_from remove-folder" -l data-dir -d 'Folder for models, indexes and caches [default: data]' -r -F
complete -c rag -n "__fish_rag_using_subcommand index; and __fish_seen_subcommand_from remove-folder" -l index -d 'Index to use [default: default]' -r
complete -c rag -n "__fish_rag_using_subcommand index; and __fish_seen_subcommand_from remove-folder" -l color -d 'When to use colors' -r -f -a "auto\t''
always\t''
never\t''"
complete -c rag -n "__fish_rag_using_subcommand index; and __fish_seen_subcommand_from remove-folder" -s y -l yes -d 'Do not ask for confirmation'
complete -c rag -n "__fish_rag_using_subcommand index; and __fish_seen_subcommand_from remove-folder" -l json -d 'Print results as JSON'
complete -c rag -n "__fish_rag_using_subcommand index; and __fish_seen_subcommand_from remove-folder" -s q -l quiet -d 'Print only results and errors'
complete -c rag -n "__fish_rag_using_subcommand index; and __fish_seen_subcommand_from remove-folder" -s v -l verbose -d 'Print more detail'
complete -c rag -n "__fish_rag_using_subcommand index; and __fish_seen_subcommand_from remove-folder" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c rag -n "__fish_rag_using_subcommand index; and __fish_seen_subcommand_from remove" -l data-dir -d 'Folder for models, indexes and caches [default: data]' -r -F
complete -c rag -n "__fish_rag_using_subcommand index; and __fish_seen_subcommand_from remove" -l index -d 'Index to use [default: default]' -r
complete -c rag -n "__fish_rag_using_subcommand index; and __fish_seen_subcommand_from remove" -l color -d 'When to use colors' -r -f -a "auto\t''
always\t''
never\t''"
complete -c rag -n "__fish_rag_using_subcommand index; and __fish_seen_subcommand_from remove" -s y -l yes -d 'Do not ask for confirmation'
complete -c rag -n "__fish_rag_using_subcommand index; and __fish_seen_subcommand_from remove" -l json -d 'Print results as JSON'
complete -c rag -n "__fish_rag_using_subcommand index; and __fish_seen_subcommand_from remove" -s q -l quiet -d 'Print only results and errors'
complete -c rag -n "__fish_rag_using_subcommand index; and __fish_seen_subcommand_from remove" -s v -l verbose -d 'Print more detail'
complete -c rag -n "__fish_rag_using_subcommand index; and __fish_seen_subcommand_from remove" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c rag -n "__fish_rag_using_subcommand index; and __fish_seen_subcommand_from help" -f -a "list" -d 'List the indexes in the data directory'
complete -c rag -n "__fish_rag_using_subcommand index; and __fish_seen_subcommand_from help" -f -a "show" -d 'Show the contents and settings of an index'
complete -c rag -n "__fish_rag_using_subcommand index; and __fish_seen_subcommand_from help" -f -a "verify" -d 'Check every byte of an index and report damage'
complete -c rag -n "__fish_rag_using_subcommand index; and __fish_seen_subcommand_from help" -f -a "save" -d 'Save an index to a single file'
complete -c rag -n "__fish_rag_using_subcommand index; and __fish_seen_subcommand_from help" -f -a "load" -d 'Load an index from a file, checking every byte first'
complete -c rag -n "__fish_rag_using_subcommand index; and __fish_seen_subcommand_from help" -f -a "push" -d 'Copy an index to a bucket or a shared folder'
complete -c rag -n "__fish_rag_using_subcommand index; and __fish_seen_subcommand_from help" -f -a "pull" -d 'Copy an index from a bucket or a shared folder, checking every byte'
complete -c rag -n "__fish_rag_using_subcommand index; and __fish_seen_subcommand_from help" -f -a "gc" -d 'Delete files from the bucket that no index needs any more'
complete -c rag -n "__fish_rag_using_subcommand index; and __fish_seen_subcommand_from help" -f -a "rollback" -d 'Roll back to the previous generation (repeat to undo)'
complete -c rag -n "__fish_rag_using_subcommand index; and __fish_seen_subcommand_from help" -f -a "compact" -d 'Rewrite an index without the remains of removed documents'
complete -c rag -n "__fish_rag_using_subcommand index; and __fish_seen_subcommand_from help" -f -a "remove-folder" -d 'Remove a folder from an index; files on disk are not touched'
complete -c rag -n "__fish_rag_using_subcommand index; and __fish_seen_subcommand_from help" -f -a "remove" -d 'Remove an index; files on disk are not touched'
complete -c rag -n "__fish_rag_using_subcommand index; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c rag -n "__fish_rag_using_subcommand documents; and not __fish_seen_subcommand_from list show remove restore help" -l data-dir -d 'Folder for models, indexes and caches [default: data]' -r -F
complete -c rag -n "__fish_rag_using_subcommand documents; and not __fish_seen_subcommand_from list show remove restore help" -l index -d 'Index to use [default: default]' -r
complete -c rag -n "__fish_rag_using_subcommand documents; and not __fish_seen_subcommand_from list show remove restore help" -l color -d 'When to use colors' -r -f -a "auto\t''
always\t''
never\t''"
complete -c rag -n "__fish_rag_using_subcommand documents; and not __fish_seen_subcommand_from list show remove restore help" -l json -d 'Print results as JSON'
complete -c rag -n "__fish_rag_using_subcommand documents; and not __fish_seen_subcommand_from list show remove restore help" -s q -l quiet -d 'Print only results and errors'
complete -c rag -n "__fish_rag_using_subcommand documents; and not __fish_seen_subcommand_from list show remove restore help" -s v -l verbose -d 'Print more detail'
complete -c rag -n "__fish_rag_using_subcommand documents; and not __fish_seen_subcommand_from list show remove restore help" -s h -l help -d 'Print help'
complete -c rag -n "__fish_rag_using_subcommand documents; and not __fish_seen_subcommand_from list show remove restore help" -f -a "list" -d 'List documents'
complete -c rag -n "__fish_rag_using_subcommand documents; and not __fish_seen_subcommand_from list show remove restore help" -f -a "show" -d 'Show a document and its passages'
complete -c rag -n "__fish_rag_using_subcommand documents; and not __fish_seen_subcommand_from list show remove restore help" -f -a "remove" -d 'Remove documents from the index permanently; files on disk are not touched'
complete -c rag -n "__fish_rag_using_subcommand documents; and not __fish_seen_subcommand_from list show remove restore help" -f -a "restore" -d 'Let the next ingest add removed documents again'
complete -c rag -n "__fish_rag_using_subcommand documents; and not __fish_seen_subcommand_from list show remove restore help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c rag -n "__fish_rag_using_subcommand documents; and __fish_seen_subcommand_from list" -l filter -d 'Only documents that match, such as `type:markdown and not path:drafts/**`' -r
complete -c rag -n "__fish_rag_using_subcommand documents; and __fish_seen_subcommand_from list" -l data-dir -d 'Folder for models, indexes and caches [default: data]' -r -F
complete -c rag -n "__fish_rag_using_subcommand documents; and __fish_seen_subcommand_from list" -l index -d 'Index to use [default: default]' -r
complete -c rag -n "__fish_rag_using_subcommand documents; and __fish_seen_subcommand_from list" -l color -d 'When to use colors' -r -f -a "auto\t''
always\t''
never\t''"
complete -c rag -n "__fish_rag_using_subcommand documents; and __fish_seen_subcommand_from list" -l failed -d 'Show files that failed, with the reason'
complete -c rag -n "__fish_rag_using_subcommand documents; and __fish_seen_subcommand_from list" -l skipped -d 'Show files without text, with the reason'
complete -c rag -n "__fish_rag_using_subcommand documents; and __fish_seen_subcommand_from list" -l removed -d 'Show documents excluded by `rag documents remove`'
complete -c rag -n "__fish_rag_using_subcommand documents; and __fish_seen_subcommand_from list" -l json -d 'Print results as JSON'
complete -c rag -n "__fish_rag_using_subcommand documents; and __fish_seen_subcommand_from list" -s q -l quiet -d 'Print only results and errors'
complete -c rag -n "__fish_rag_using_subcommand documents; and __fish_seen_subcommand_from list" -s v -l verbose -d 'Print more detail'
complete -c rag -n "__fish_rag_using_subcommand documents; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c rag -n "__fish_rag_using_subcommand documents; and __fish_seen_subcommand_from show" -l data-dir -d 'Folder for models, indexes and caches [default: data]' -r -F
complete -c rag -n "__fish_rag_using_subcommand documents; and __fish_seen_subcommand_from show" -l index -d 'Index to use [default: default]' -r
complete -c rag -n "__fish_rag_using_subcommand documents; and __fish_seen_subcommand_from show" -l color -d 'When to use colors' -r -f -a "auto\t''
always\t''
never\t''"
complete -c rag -n "__fish_rag_using_subcommand documents; and __fish_seen_subcommand_from show" -l json -d 'Print results as JSON'
complete -c rag -n "__fish_rag_using_subcommand documents; and __fish_seen_subcommand_from show" -s q -l quiet -d 'Print only results and errors'
complete -c rag -n "__fish_rag_using_subcommand documents; and __fish_seen_subcommand_from show" -s v -l verbose -d 'Print more detail'
complete -c rag -n "__fish_rag_using_subcommand documents; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help'
complete -c rag -n "__fish_rag_using_subcommand documents; and __fish_seen_subcommand_from remove" -l wait -d 'Wait up to SECONDS for another writer' -r
complete -c rag -n "__fish_rag_using_subcommand documents; and __fish_seen_subcommand_from remove" -l data-dir -d 'Folder for models, indexes and caches [default: data]' -r -F
complete -c rag -n "__fish_rag_using_subcommand documents; and __fish_seen_subcommand_from remove" -l index -d 'Index to use [default: default]' -r
complete -c rag -n "__fish_rag_using_subcommand documents; and __fish_seen_subcommand_from remove" -l color -d 'When to use colors' -r -f -a "auto\t''
always\t''
never\t''"
complete -c rag -n "__fish_rag_using_subcommand documents; and __fish_seen_subcommand_from remove" -s y -l yes -d 'Do not ask for confirmation'
complete -c rag -n "__fish_rag_using_subcommand documents; and __fish_seen_subcommand_from remove" -l json -d 'Print results as JSON'
complete -c rag -n "__fish_rag_using_subcommand documents; and __fish_seen_subcommand_from remove" -s q -l quiet -d 'Print only results and errors'
complete -c rag -n "__fish_rag_using_subcommand documents; and __fish_seen_subcommand_from remove" -s v -l verbose -d 'Print more detail'
complete -c rag -n "__fish_rag_using_subcommand documents; and __fish_seen_subcommand_from remove" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c rag -n "__fish_rag_using_subcommand documents; and __fish_seen_subcommand_from restore" -l wait -d 'Wait up to SECONDS for another writer' -r
complete -c rag -n "__fish_rag_using_subcommand documents; and __fish_seen_subcommand_from restore" -l data-dir -d 'Folder for models, indexes and caches [default: data]' -r -F
complete -c rag -n "__fish_rag_using_subcommand documents; and __fish_seen_subcommand_from restore" -l index -d 'Index to use [default: default]' -r
complete -c rag -n "__fish_rag_using_subcommand documents; and __fish_seen_subcommand_from restore" -l color -d 'When to use colors' -r -f -a "auto\t''
always\t''
never\t''"
complete -c rag -n "__fish_rag_using_subcommand documents; and __fish_seen_subcommand_from restore" -l json -d 'Print results as JSON'
complete -c rag -n "__fish_rag_using_subcommand documents; and __fish_seen_subcommand_from restore" -s q -l quiet -d 'Print only results and errors'
complete -c rag -n "__fish_rag_using_subcommand documents; and __fish_seen_subcommand_from restore" -s v -l verbose -d 'Print more detail'
complete -c rag -n "__fish_rag_using_subcommand documents; and __fish_seen_subcommand_from restore" -s h -l help -d 'Print help'
complete -c rag -n "__fish_rag_using_subcommand documents; and __fish_seen_subcommand_from help" -f -a "list" -d 'List documents'
complete -c rag -n "__fish_rag_using_subcommand documents; and __fish_seen_subcommand_from help" -f -a "show" -d 'Show a document and its passages'
complete -c rag -n "__fish_rag_using_subcommand documents; and __fish_seen_subcommand_from help" -f -a "remove" -d 'Remove documents from the index permanently; files on disk are not touched'
complete -c rag -n "__fish_rag_using_subcommand documents; and __fish_seen_subcommand_from help" -f -a "restore" -d 'Let the next ingest add removed documents again'
complete -c rag -n "__fish_rag_using_subcommand documents; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c rag -n "__fish_rag_using_subcommand cache; and not __fish_seen_subcommand_from stats purge warm help" -l purge -d 'Alias of `rag cache purge`' -r
complete -c rag -n "__fish_rag_using_subcommand cache; and not __fish_seen_subcommand_from stats purge warm help" -l data-dir -d 'Folder for models, indexes and caches [default: data]' -r -F
complete -c rag -n "__fish_rag_using_subcommand cache; and not __fish_seen_subcommand_from stats purge warm help" -l index -d 'Index to use [default: default]' -r
complete -c rag -n "__fish_rag_using_subcommand cache; and not __fish_seen_subcommand_from stats purge warm help" -l color -d 'When to use colors' -r -f -a "auto\t''
always\t''
never\t''"
complete -c rag -n "__fish_rag_using_subcommand cache; and not __fish_seen_subcommand_from stats purge warm help" -l stats -d 'Alias of `rag cache stats`'
complete -c rag -n "__fish_rag_using_subcommand cache; and not __fish_seen_subcommand_from stats purge warm help" -l json -d 'Print results as JSON'
complete -c rag -n "__fish_rag_using_subcommand cache; and not __fish_seen_subcommand_from stats purge warm help" -s q -l quiet -d 'Print only results and errors'
complete -c rag -n "__fish_rag_using_subcommand cache; and not __fish_seen_subcommand_from stats purge warm help" -s v -l verbose -d 'Print more detail'
complete -c rag -n "__fish_rag_using_subcommand cache; and not __fish_seen_subcommand_from stats purge warm help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c rag -n "__fish_rag_using_subcommand cache; and not __fish_seen_subcommand_from stats purge warm help" -f -a "stats" -d 'Show rows, size and hit rate of every table'
complete -c rag -n "__fish_rag_using_subcommand cache; and not __fish_seen_subcommand_from stats purge warm help" -f -a "purge" -d 'Empty tables and free their disk space'
complete -c rag -n "__fish_rag_using_subcommand cache; and not __fish_seen_subcommand_from stats purge warm help" -f -a "warm" -d 'Answer a file of questions in advance'
complete -c rag -n "__fish_rag_using_subcommand cache; and not __fish_seen_subcommand_from stats purge warm help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c rag -n "__fish_rag_using_subcommand cache; and __fish_seen_subcommand_from stats" -l data-dir -d 'Folder for models, indexes and caches [default: data]' -r -F
complete -c rag -n "__fish_rag_using_subcommand cache; and __fish_seen_subcommand_from stats" -l index -d 'Index to use [default: default]' -r
complete -c rag -n "__fish_rag_using_subcommand cache; and __fish_seen_subcommand_from stats" -l color -d 'When to use colors' -r -f -a "auto\t''
always\t''
never\t''"
complete -c rag -n "__fish_rag_using_subcommand cache; and __fish_seen_subcommand_from stats" -l json -d 'Print results as JSON'
complete -c rag -n "__fish_rag_using_subcommand cache; and __fish_seen_subcommand_from stats" -s q -l quiet -d 'Print only results and errors'
complete -c rag -n "__fish_rag_using_subcommand cache; and __fish_seen_subcommand_from stats" -s v -l verbose -d 'Print more detail'
complete -c rag -n "__fish_rag_using_subcommand cache; and __fish_seen_subcommand_from stats" -s h -l help -d 'Print help'
complete -c rag -n "__fish_rag_using_subcommand cache; and __fish_seen_subcommand_from purge" -l data-dir -d 'Folder for models, indexes and caches [default: data]' -r -F
complete -c rag -n "__fish_rag_using_subcommand cache; and __fish_seen_subcommand_from purge" -l index -d 'Index to use [default: default]' -r
complete -c rag -n "__fish_rag_using_subcommand cache; and __fish_seen_subcommand_from purge" -l color -d 'When to use colors' -r -f -a "auto\t''
always\t''
never\t''"
complete -c rag -n "__fish_rag_using_subcommand cache; and __fish_seen_subcommand_from purge" -l json -d 'Print results as JSON'
complete -c rag -n "__fish_rag_using_subcommand cache; and __fish_seen_subcommand_from purge" -s q -l quiet -d 'Print only results and errors'
complete -c rag -n "__fish_rag_using_subcommand cache; and __fish_seen_subcommand_from purge" -s v -l verbose -d 'Print more detail'
complete -c rag -n "__fish_rag_using_subcommand cache; and __fish_seen_subcommand_from purge" -s h -l help -d 'Print help'
complete -c rag -n "__fish_rag_using_subcommand cache; and __fish_seen_subcommand_from warm" -s k -d 'Number of passages to consider [default: 10]' -r
complete -c rag -n "__fish_rag_using_subcommand cache; and __fish_seen_subcommand_from warm" -l mode -d 'Retrievers to use [default: hybrid]' -r -f -a "hybrid\t''
lexical\t''
dense\t''"
complete -c rag -n "__fish_rag_using_subcommand cache; and __fish_seen_subcommand_from warm" -l filter -d 'Only documents that match, such as `type:markdown and not path:drafts/**`' -r
complete -c rag -n "__fish_rag_using_subcommand cache; and __fish_seen_subcommand_from warm" -l rerank -d 'Rerank the top N passages, with `rerank.model` [default: 20]' -r
complete -c rag -n "__fish_rag_using_subcommand cache; and __fish_seen_subcommand_from warm" -l intent -d 'Kind of answer [default: detected from the question]' -r
complete -c rag -n "__fish_rag_using_subcommand cache; and __fish_seen_subcommand_from warm" -l max-words -d 'Maximum length of the answer in words [default: 60]' -r
complete -c rag -n "__fish_rag_using_subcommand cache; and __fish_seen_subcommand_from warm" -l generator -d 'Quote the documents, or have a language model write [default: extractive]' -r -f -a "extractive\t''
llm\t''"
complete -c rag -n "__fish_rag_using_subcommand cache; and __fish_seen_subcommand_from warm" -l fallback -d 'Generator to use when the language model fails [default: none]' -r -f -a "none\t''
extractive\t''"
complete -c rag -n "__fish_rag_using_subcommand cache; and __fish_seen_subcommand_from warm" -l data-dir -d 'Folder for models, indexes and caches [default: data]' -r -F
complete -c rag -n "__fish_rag_using_subcommand cache; and __fish_seen_subcommand_from warm" -l index -d 'Index to use [default: default]' -r
complete -c rag -n "__fish_rag_using_subcommand cache; and __fish_seen_subcommand_from warm" -l color -d 'When to use colors' -r -f -a "auto\t''
always\t''
never\t''"
complete -c rag -n "__fish_rag_using_subcommand cache; and __fish_seen_subcommand_from warm" -l no-cache -d 'Do not read or write the cache'
complete -c rag -n "__fish_rag_using_subcommand cache; and __fish_seen_subcommand_from warm" -l refresh -d 'Recompute and replace cached results'
complete -c rag -n "__fish_rag_using_subcommand cache; and __fish_seen_subcommand_from warm" -l json -d 'Print results as JSON'
complete -c rag -n "__fish_rag_using_subcommand cache; and __fish_seen_subcommand_from warm" -s q -l quiet -d 'Print only results and errors'
complete -c rag -n "__fish_rag_using_subcommand cache; and __fish_seen_subcommand_from warm" -s v -l verbose -d 'Print more detail'
complete -c rag -n "__fish_rag_using_subcommand cache; and __fish_seen_subcommand_from warm" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c rag -n "__fish_rag_using_subcommand cache; and __fish_seen_subcommand_from help" -f -a "stats" -d 'Show rows, size and hit rate of every table'
complete -c rag -n "__fish_rag_using_subcommand cache; and __fish_seen_subcommand_from help" -f -a "purge" -d 'Empty tables and free their disk space'
complete -c rag -n "__fish_rag_using_subcommand cache; and __fish_seen_subcommand_from help" -f -a "warm" -d 'Answer a file of questions in advance'
complete -c rag -n "__fish_rag_using_subcommand cache; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c rag -n "__fish_rag_using_subcommand model; and not __fish_seen_subcommand_from list verify add pull help" -l data-dir -d 'Folder for models, indexes and caches [default: data]' -r -F
complete -c rag -n "__fish_rag_using_subcommand model; and not __fish_seen_subcommand_from list verify add pull help" -l index -d 'Index to use [default: default]' -r
complete -c rag -n "__fish_rag_using_subcommand model; and not __fish_seen_subcommand_from list verify add pull help" -l color -d 'When to use colors' -r -f -a "auto\t''
always\t''
never\t''"
complete -c rag -n "__fish_rag_using_subcommand model; and not __fish_seen_subcommand_from list verify add pull help" -l json -d 'Print results as JSON'
complete -c rag -n "__fish_rag_using_subcommand model; and not __fish_seen_subcommand_from list verify add pull help" -s q -l quiet -d 'Print only results and errors'
complete -c rag -n "__fish_rag_using_subcommand model; and not __fish_seen_subcommand_from list verify add pull help" -s v -l verbose -d 'Print more detail'
complete -c rag -n "__fish_rag_using_subcommand model; and not __fish_seen_subcommand_from list verify add pull help" -s h -l help -d 'Print help'
complete -c rag -n "__fish_rag_using_subcommand model; and not __fish_seen_subcommand_from list verify add pull help" -f -a "list" -d 'List the models on this machine'
complete -c rag -n "__fish_rag_using_subcommand model; and not __fish_seen_subcommand_from list verify add pull help" -f -a "verify" -d 'Check every byte of the models and the ONNX Runtime library'
complete -c rag -n "__fish_rag_using_subcommand model; and not __fish_seen_subcommand_from list verify add pull help" -f -a "add" -d 'Add a sentence-transformers folder with an ONNX file'
complete -c rag -n "__fish_rag_using_subcommand model; and not __fish_seen_subcommand_from list verify add pull help" -f -a "pull" -d 'Download a model from the Hugging Face Hub or HF_ENDPOINT'
complete -c rag -n "__fish_rag_using_subcommand model; and not __fish_seen_subcommand_from list verify add pull help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c rag -n "__fish_rag_using_subcommand model; and __fish_seen_subcommand_from list" -l data-dir -d 'Folder for models, indexes and caches [default: data]' -r -F
complete -c rag -n "__fish_rag_using_subcommand model; and __fish_seen_subcommand_from list" -l index -d 'Index to use [default: default]' -r
complete -c rag -n "__fish_rag_using_subcommand model; and __fish_seen_subcommand_from list" -l color -d 'When to use colors' -r -f -a "auto\t''
always\t''
never\t''"
complete -c rag -n "__fish_rag_using_subcommand model; and __fish_seen_subcommand_from list" -l json -d 'Print results as JSON'
complete -c rag -n "__fish_rag_using_subcommand model; and __fish_seen_subcommand_from list" -s q -l quiet -d 'Print only results and errors'
complete -c rag -n "__fish_rag_using_subcommand model; and __fish_seen_subcommand_from list" -s v -l verbose -d 'Print more detail'
complete -c rag -n "__fish_rag_using_subcommand model; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help'
complete -c rag -n "__fish_rag_using_subcommand model; and __fish_seen_subcommand_from verify" -l data-dir -d 'Folder for models, indexes and caches [default: data]' -r -F
complete -c rag -n "__fish_rag_using_subcommand model; and __fish_seen_subcommand_from verify" -l index -d 'Index to use [default: default]' -r
complete -c rag -n "__fish_rag_using_subcommand model; and __fish_seen_subcommand_from verify" -l color -d 'When to use colors' -r -f -a "auto\t''
always\t''
never\t''"
complete -c rag -n "__fish_rag_using_subcommand model; and __fish_seen_subcommand_from verify" -l json -d 'Print results as JSON'
complete -c rag -n "__fish_rag_using_subcommand model; and __fish_seen_subcommand_from verify" -s q -l quiet -d 'Print only results and errors'
complete -c rag -n "__fish_rag_using_subcommand model; and __fish_seen_subcommand_from verify" -s v -l verbose -d 'Print more detail'
complete -c rag -n "__fish_rag_using_subcommand model; and __fish_seen_subcommand_from verify" -s h -l help -d 'Print help'
complete -c rag -n "__fish_rag_using_subcommand model; and __fish_seen_subcommand_from add" -l name -d 'Name for the model [default: name of the folder]' -r
complete -c rag -n "__fish_rag_using_subcommand model; and __fish_seen_subcommand_from add" -l query-prompt -d 'Text to put before every question [default: as the model\'s files say]' -r
complete -c rag -n "__fish_rag_using_subcommand model; and __fish_seen_subcommand_from add" -l passage-prompt -d 'Text to put before every passage [default: as the model\'s files say]' -r
complete -c rag -n "__fish_rag_using_subcommand model; and __fish_seen_subcommand_from add" -l data-dir -d 'Folder for models, indexes and caches [default: data]' -r -F
complete -c rag -n "__fish_rag_using_subcommand model; and __fish_seen_subcommand_from add" -l index -d 'Index to use [default: default]' -r
complete -c rag -n "__fish_rag_using_subcommand model; and __fish_seen_subcommand_from add" -l color -d 'When to use colors' -r -f -a "auto\t''
always\t''
never\t''"
complete -c rag -n "__fish_rag_using_subcommand model; and __fish_seen_subcommand_from add" -l json -d 'Print results as JSON'
complete -c rag -n "__fish_rag_using_subcommand model; and __fish_seen_subcommand_from add" -s q -l quiet -d 'Print only results and errors'
complete -c rag -n "__fish_rag_using_subcommand model; and __fish_seen_subcommand_from add" -s v -l verbose -d 'Print more detail'
complete -c rag -n "__fish_rag_using_subcommand model; and __fish_seen_subcommand_from add" -s h -l help -d 'Print help'
complete -c rag -n "__fish_rag_using_subcommand model; and __fish_seen_subcommand_from pull" -l revision -d 'Branch, tag or commit' -r
complete -c rag -n "__fish_rag_using_subcommand model; and __fish_seen_subcommand_from pull" -l name -d 'Name for the model [default: last part of REPOSITORY]' -r
complete -c rag -n "__fish_rag_using_subcommand model; and __fish_seen_subcommand_from pull" -l query-prompt -d 'Text to put before every question [default: as the model\'s files say]' -r
complete -c rag -n "__fish_rag_using_subcommand model; and __fish_seen_subcommand_from pull" -l passage-prompt -d 'Text to put before every passage [default: as the model\'s files say]' -r
complete -c rag -n "__fish_rag_using_subcommand model; and __fish_seen_subcommand_from pull" -l data-dir -d 'Folder for models, indexes and caches [default: data]' -r -F
complete -c rag -n "__fish_rag_using_subcommand model; and __fish_seen_subcommand_from pull" -l index -d 'Index to use [default: default]' -r
complete -c rag -n "__fish_rag_using_subcommand model; and __fish_seen_subcommand_from pull" -l color -d 'When to use colors' -r -f -a "auto\t''
always\t''
never\t''"
complete -c rag -n "__fish_rag_using_subcommand model; and __fish_seen_subcommand_from pull" -l json -d 'Print results as JSON'
complete -c rag -n "__fish_rag_using_subcommand model; and __fish_seen_subcommand_from pull" -s q -l quiet -d 'Print only results and errors'
complete -c rag -n "__fish_rag_using_subcommand model; and __fish_seen_subcommand_from pull" -s v -l verbose -d 'Print more detail'
complete -c rag -n "__fish_rag_using_subcommand model; and __fish_seen_subcommand_from pull" -s h -l help -d 'Print help'
complete -c rag -n "__fish_rag_using_subcommand model; and __fish_seen_subcommand_from help" -f -a "list" -d 'List the models on this machine'
complete -c rag -n "__fish_rag_using_subcommand model; and __fish_seen_subcommand_from help" -f -a "verify" -d 'Check every byte of the models and the ONNX Runtime library'
complete -c rag -n "__fish_rag_using_subcommand model; and __fish_seen_subcommand_from help" -f -a "add" -d 'Add a sentence-transformers folder with an ONNX file'
complete -c rag -n "__fish_rag_using_subcommand model; and __fish_seen_subcommand_from help" -f -a "pull" -d 'Download a model from the Hugging Face Hub or HF_ENDPOINT'
complete -c rag -n "__fish_rag_using_subcommand model; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c rag -n "__fish_rag_using_subcommand serve" -l host -d 'Address to listen on [default: 127.0.0.1]' -r
complete -c rag -n "__fish_rag_using_subcommand serve" -s p -l port -d 'Port to listen on, 0 for any free one [default: 8000]' -r
complete -c rag -n "__fish_rag_using_subcommand serve" -l data-dir -d 'Folder for models, indexes and caches [default: data]' -r -F
complete -c rag -n "__fish_rag_using_subcommand serve" -l index -d 'Index to use [default: default]' -r
complete -c rag -n "__fish_rag_using_subcommand serve" -l color -d 'When to use colors' -r -f -a "auto\t''
always\t''
never\t''"
complete -c rag -n "__fish_rag_using_subcommand serve" -l json -d 'Print results as JSON'
complete -c rag -n "__fish_rag_using_subcommand serve" -s q -l quiet -d 'Print only results and errors'
complete -c rag -n "__fish_rag_using_subcommand serve" -s v -l verbose -d 'Print more detail'
complete -c rag -n "__fish_rag_using_subcommand serve" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c rag -n "__fish_rag_using_subcommand token; and not __fish_seen_subcommand_from add list revoke help" -l data-dir -d 'Folder for models, indexes and caches [default: data]' -r -F
complete -c rag -n "__fish_rag_using_subcommand token; and not __fish_seen_subcommand_from add list revoke help" -l index -d 'Index to use [default: default]' -r
complete -c rag -n "__fish_rag_using_subcommand token; and not __fish_seen_subcommand_from add list revoke help" -l color -d 'When to use colors' -r -f -a "auto\t''
always\t''
never\t''"
complete -c rag -n "__fish_rag_using_subcommand token; and not __fish_seen_subcommand_from add list revoke help" -l json -d 'Print results as JSON'
complete -c rag -n "__fish_rag_using_subcommand token; and not __fish_seen_subcommand_from add list revoke help" -s q -l quiet -d 'Print only results and errors'
complete -c rag -n "__fish_rag_using_subcommand token; and not __fish_seen_subcommand_from add list revoke help" -s v -l verbose -d 'Print more detail'
complete -c rag -n "__fish_rag_using_subcommand token; and not __fish_seen_subcommand_from add list revoke help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c rag -n "__fish_rag_using_subcommand token; and not __fish_seen_subcommand_from add list revoke help" -f -a "add" -d 'Add a token and print it'
complete -c rag -n "__fish_rag_using_subcommand token; and not __fish_seen_subcommand_from add list revoke help" -f -a "list" -d 'List tokens, oldest first'
complete -c rag -n "__fish_rag_using_subcommand token; and not __fish_seen_subcommand_from add list revoke help" -f -a "revoke" -d 'Revoke a token'
complete -c rag -n "__fish_rag_using_subcommand token; and not __fish_seen_subcommand_from add list revoke help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c rag -n "__fish_rag_using_subcommand token; and __fish_seen_subcommand_from add" -l scope -d 'What it may do: read (ask and search), write (also change documents) or admin' -r -f -a "read\t''
write\t''
admin\t''"
complete -c rag -n "__fish_rag_using_subcommand token; and __fish_seen_subcommand_from add" -l indexes -d 'Indexes that it may use, separated by commas; it sees nothing of others [default: all]' -r
complete -c rag -n "__fish_rag_using_subcommand token; and __fish_seen_subcommand_from add" -l expires-in -d 'Days until it expires [default: never]' -r
complete -c rag -n "__fish_rag_using_subcommand token; and __fish_seen_subcommand_from add" -l rate -d 'Requests per minute [default: the setting `serve.rate_per_minute`]' -r
complete -c rag -n "__fish_rag_using_subcommand token; and __fish_seen_subcommand_from add" -l quota -d 'Requests per day [default: the setting `serve.quota_per_day`]' -r
complete -c rag -n "__fish_rag_using_subcommand token; and __fish_seen_subcommand_from add" -l data-dir -d 'Folder for models, indexes and caches [default: data]' -r -F
complete -c rag -n "__fish_rag_using_subcommand token; and __fish_seen_subcommand_from add" -l index -d 'Index to use [default: default]' -r
complete -c rag -n "__fish_rag_using_subcommand token; and __fish_seen_subcommand_from add" -l color -d 'When to use colors' -r -f -a "auto\t''
always\t''
never\t''"
complete -c rag -n "__fish_rag_using_subcommand token; and __fish_seen_subcommand_from add" -l json -d 'Print results as JSON'
complete -c rag -n "__fish_rag_using_subcommand token; and __fish_seen_subcommand_from add" -s q -l quiet -d 'Print only results and errors'
complete -c rag -n "__fish_rag_using_subcommand token; and __fish_seen_subcommand_from add" -s v -l verbose -d 'Print more detail'
complete -c rag -n "__fish_rag_using_subcommand token; and __fish_seen_subcommand_from add" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c rag -n "__fish_rag_using_subcommand token; and __fish_seen_subcommand_from list" -l data-dir -d 'Folder for models, indexes and caches [default: data]' -r -F
complete -c rag -n "__fish_rag_using_subcommand token; and __fish_seen_subcommand_from list" -l index -d 'Index to use [default: default]' -r
complete -c rag -n "__fish_rag_using_subcommand token; and __fish_seen_subcommand_from list" -l color -d 'When to use colors' -r -f -a "auto\t''
always\t''
never\t''"
complete -c rag -n "__fish_rag_using_subcommand token; and __fish_seen_subcommand_from list" -l json -d 'Print results as JSON'
complete -c rag -n "__fish_rag_using_subcommand token; and __fish_seen_subcommand_from list" -s q -l quiet -d 'Print only results and errors'
complete -c rag -n "__fish_rag_using_subcommand token; and __fish_seen_subcommand_from list" -s v -l verbose -d 'Print more detail'
complete -c rag -n "__fish_rag_using_subcommand token; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help'
complete -c rag -n "__fish_rag_using_subcommand token; and __fish_seen_subcommand_from revoke" -l data-dir -d 'Folder for models, indexes and caches [default: data]' -r -F
complete -c rag -n "__fish_rag_using_subcommand token; and __fish_seen_subcommand_from revoke" -l index -d 'Index to use [default: default]' -r
complete -c rag -n "__fish_rag_using_subcommand token; and __fish_seen_subcommand_from revoke" -l color -d 'When to use colors' -r -f -a "auto\t''
always\t''
never\t''"
complete -c rag -n "__fish_rag_using_subcommand token; and __fish_seen_subcommand_from revoke" -l json -d 'Print results as JSON'
complete -c rag -n "__fish_rag_using_subcommand token; and __fish_seen_subcommand_from revoke" -s q -l quiet -d 'Print only results and errors'
complete -c rag -n "__fish_rag_using_subcommand token; and __fish_seen_subcommand_from revoke" -s v -l verbose -d 'Print more detail'
complete -c rag -n "__fish_rag_using_subcommand token; and __fish_seen_subcommand_from revoke" -s h -l help -d 'Print help'
complete -c rag -n "__fish_rag_using_subcommand token; and __fish_seen_subcommand_from help" -f -a "add" -d 'Add a token and print it'
complete -c rag -n "__fish_rag_using_subcommand token; and __fish_seen_subcommand_from help" -f -a "list" -d 'List tokens, oldest first'
complete -c rag -n "__fish_rag_using_subcommand token; and __fish_seen_subcommand_from help" -f -a "revoke" -d 'Revoke a token'
complete -c rag -n "__fish_rag_using_subcommand token; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c rag -n "__fish_rag_using_subcommand eval" -l dir -d 'Measure a temporary index of DIR (repeatable: one for each FILE)' -r -F
complete -c rag -n "__fish_rag_using_subcommand eval" -l mode -d 'Modes to measure [default: all; none with `--run`]' -r -f -a "hybrid\t''
lexical\t''
dense\t''"
complete -c rag -n "__fish_rag_using_subcommand eval" -l set -d 'Also measure with these settings changed (repeatable: one variant each)' -r
complete -c rag -n "__fish_rag_using_subcommand eval" -l run -d 'Also score the TREC run in RUN (repeatable)' -r -F
complete -c rag -n "__fish_rag_using_subcommand eval" -l save-run -d 'Write the ranking of the reference as a TREC run' -r -F
complete -c rag -n "__fish_rag_using_subcommand eval" -l baseline -d 'Compare with an earlier measurement; exit with code 1 if a measure is significantly worse' -r -F
complete -c rag -n "__fish_rag_using_subcommand eval" -l save-baseline -d 'Write the values of every question, for `--baseline`' -r -F
complete -c rag -n "__fish_rag_using_subcommand eval" -l worst -d 'Show the N worst questions, with reasons' -r
complete -c rag -n "__fish_rag_using_subcommand eval" -l html -d 'Write a report with plots as one HTML page' -r -F
complete -c rag -n "__fish_rag_using_subcommand eval" -l generate -d 'Print N questions that the language model drafts from the index, and measure nothing' -r
complete -c rag -n "__fish_rag_using_subcommand eval" -l generator -d 'Quote the documents, or have a language model write [default: extractive]' -r -f -a "extractive\t''
llm\t''"
complete -c rag -n "__fish_rag_using_subcommand eval" -l filter -d 'Only documents that match, such as `type:markdown and not path:drafts/**`' -r
complete -c rag -n "__fish_rag_using_subcommand eval" -l data-dir -d 'Folder for models, indexes and caches [default: data]' -r -F
complete -c rag -n "__fish_rag_using_subcommand eval" -l index -d 'Index to use [default: default]' -r
complete -c rag -n "__fish_rag_using_subcommand eval" -l color -d 'When to use colors' -r -f -a "auto\t''
always\t''
never\t''"
complete -c rag -n "__fish_rag_using_subcommand eval" -l force -d 'Replace the files that are written, if they exist'
complete -c rag -n "__fish_rag_using_subcommand eval" -l judge -d 'Have the language model grade the answers'
complete -c rag -n "__fish_rag_using_subcommand eval" -l json -d 'Print results as JSON'
complete -c rag -n "__fish_rag_using_subcommand eval" -s q -l quiet -d 'Print only results and errors'
complete -c rag -n "__fish_rag_using_subcommand eval" -s v -l verbose -d 'Print more detail'
complete -c rag -n "__fish_rag_using_subcommand eval" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c rag -n "__fish_rag_using_subcommand mcp" -l root -d 'Folder below which clients may ingest (repeatable) [default: setting `serve.roots`]' -r -F
complete -c rag -n "__fish_rag_using_subcommand mcp" -l data-dir -d 'Folder for models, indexes and caches [default: data]' -r -F
complete -c rag -n "__fish_rag_using_subcommand mcp" -l index -d 'Index to use [default: default]' -r
complete -c rag -n "__fish_rag_using_subcommand mcp" -l color -d 'When to use colors' -r -f -a "auto\t''
always\t''
never\t''"
complete -c rag -n "__fish_rag_using_subcommand mcp" -l allow-ingest -d 'Let clients ingest folders below --root'
complete -c rag -n "__fish_rag_using_subcommand mcp" -l json -d 'Print results as JSON'
complete -c rag -n "__fish_rag_using_subcommand mcp" -s q -l quiet -d 'Print only results and errors'
complete -c rag -n "__fish_rag_using_subcommand mcp" -s v -l verbose -d 'Print more detail'
complete -c rag -n "__fish_rag_using_subcommand mcp" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c rag -n "__fish_rag_using_subcommand stats" -l since -d 'Only records of the last TIME, such as 30m, 12h, 7d or 4w [default: all]' -r
complete -c rag -n "__fish_rag_using_subcommand stats" -l data-dir -d 'Folder for models, indexes and caches [default: data]' -r -F
complete -c rag -n "__fish_rag_using_subcommand stats" -l index -d 'Index to use [default: default]' -r
complete -c rag -n "__fish_rag_using_subcommand stats" -l color -d 'When to use colors' -r -f -a "auto\t''
always\t''
never\t''"
complete -c rag -n "__fish_rag_using_subcommand stats" -l purge -d 'Delete all records'
complete -c rag -n "__fish_rag_using_subcommand stats" -s y -l yes -d 'Do not ask for confirmation'
complete -c rag -n "__fish_rag_using_subcommand stats" -l json -d 'Print results as JSON'
complete -c rag -n "__fish_rag_using_subcommand stats" -s q -l quiet -d 'Print only results and errors'
complete -c rag -n "__fish_rag_using_subcommand stats" -s v -l verbose -d 'Print more detail'
complete -c rag -n "__fish_rag_using_subcommand stats" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c rag -n "__fish_rag_using_subcommand worker" -l data-dir -d 'Folder for models, indexes and caches [default: data]' -r -F
complete -c rag -n "__fish_rag_using_subcommand worker" -l index -d 'Index to use [default: default]' -r
complete -c rag -n "__fish_rag_using_subcommand worker" -l color -d 'When to use colors' -r -f -a "auto\t''
always\t''
never\t''"
complete -c rag -n "__fish_rag_using_subcommand worker" -l json -d 'Print results as JSON'
complete -c rag -n "__fish_rag_using_subcommand worker" -s q -l quiet -d 'Print only results and errors'
complete -c rag -n "__fish_rag_using_subcommand worker" -s v -l verbose -d 'Print more detail'
complete -c rag -n "__fish_rag_using_subcommand worker" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c rag -n "__fish_rag_using_subcommand migrate" -l data-dir -d 'Folder for models, indexes and caches [default: data]' -r -F
complete -c rag -n "__fish_rag_using_subcommand migrate" -l index -d 'Index to use [default: default]' -r
complete -c rag -n "__fish_rag_using_subcommand migrate" -l color -d 'When to use colors' -r -f -a "auto\t''
always\t''
never\t''"
complete -c rag -n "__fish_rag_using_subcommand migrate" -l json -d 'Print results as JSON'
complete -c rag -n "__fish_rag_using_subcommand migrate" -s q -l quiet -d 'Print only results and errors'
complete -c rag -n "__fish_rag_using_subcommand migrate" -s v -l verbose -d 'Print more detail'
complete -c rag -n "__fish_rag_using_subcommand migrate" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c rag -n "__fish_rag_using_subcommand doctor" -l data-dir -d 'Folder for models, indexes and caches [default: data]' -r -F
complete -c rag -n "__fish_rag_using_subcommand doctor" -l index -d 'Index to use [default: default]' -r
complete -c rag -n "__fish_rag_using_subcommand doctor" -l color -d 'When to use colors' -r -f -a "auto\t''
always\t''
never\t''"
complete -c rag -n "__fish_rag_using_subcommand doctor" -l json -d 'Print results as JSON'
complete -c rag -n "__fish_rag_using_subcommand doctor" -s q -l quiet -d 'Print only results and errors'
complete -c rag -n "__fish_rag_using_subcommand doctor" -s v -l verbose -d 'Print more detail'
complete -c rag -n "__fish_rag_using_subcommand doctor" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c rag -n "__fish_rag_using_subcommand completions" -l data-dir -d 'Folder for models, indexes and caches [default: data]' -r -F
complete -c rag -n "__fish_rag_using_subcommand completions" -l index -d 'Index to use [default: default]' -r
complete -c rag -n "__fish_rag_using_subcommand completions" -l color -d 'When to use colors' -r -f -a "auto\t''
always\t''
never\t''"
complete -c rag -n "__fish_rag_using_subcommand completions" -l json -d 'Print results as JSON'
complete -c rag -n "__fish_rag_using_subcommand completions" -s q -l quiet -d 'Print only results and errors'
complete -c rag -n "__fish_rag_using_subcommand completions" -s v -l verbose -d 'Print more detail'
complete -c rag -n "__fish_rag_using_subcommand completions" -s h -l help -d 'Print help'
complete -c rag -n "__fish_rag_using_subcommand man" -l data-dir -d 'Folder for models, indexes and caches [default: data]' -r -F
complete -c rag -n "__fish_rag_using_subcommand man" -l index -d 'Index to use [default: default]' -r
complete -c rag -n "__fish_rag_using_subcommand man" -l color -d 'When to use colors' -r -f -a "auto\t''
always\t''
never\t''"
complete -c rag -n "__fish_rag_using_subcommand man" -l json -d 'Print results as JSON'
complete -c rag -n "__fish_rag_using_subcommand man" -s q -l quiet -d 'Print only results and errors'
complete -c rag -n "__fish_rag_using_subcommand man" -s v -l verbose -d 'Print more detail'
complete -c rag -n "__fish_rag_using_subcommand man" -s h -l help -d 'Print help'
complete -c rag -n "__fish_rag_using_subcommand help; and not __fish_seen_subcommand_from ingest jobs search ask chat sessions index documents cache model serve token eval mcp stats worker migrate doctor completions man help" -f -a "ingest" -d 'Index folders or update their index'
complete -c rag -n "__fish_rag_using_subcommand help; and not __fish_seen_subcommand_from ingest jobs search ask chat sessions index documents cache model serve token eval mcp stats worker migrate doctor completions man help" -f -a "jobs" -d 'List, follow, cancel, retry and run jobs'
complete -c rag -n "__fish_rag_using_subcommand help; and not __fish_seen_subcommand_from ingest jobs search ask chat sessions index documents cache model serve token eval mcp stats worker migrate doctor completions man help" -f -a "search" -d 'Rank the passages that match a question'
complete -c rag -n "__fish_rag_using_subcommand help; and not __fish_seen_subcommand_from ingest jobs search ask chat sessions index documents cache model serve token eval mcp stats worker migrate doctor completions man help" -f -a "ask" -d 'Answer a question from the index, with citations'
complete -c rag -n "__fish_rag_using_subcommand help; and not __fish_seen_subcommand_from ingest jobs search ask chat sessions index documents cache model serve token eval mcp stats worker migrate doctor completions man help" -f -a "chat" -d 'Ask questions interactively'
complete -c rag -n "__fish_rag_using_subcommand help; and not __fish_seen_subcommand_from ingest jobs search ask chat sessions index documents cache model serve token eval mcp stats worker migrate doctor completions man help" -f -a "sessions" -d 'List, show, export and remove conversations'
complete -c rag -n "__fish_rag_using_subcommand help; and not __fish_seen_subcommand_from ingest jobs search ask chat sessions index documents cache model serve token eval mcp stats worker migrate doctor completions man help" -f -a "index" -d 'List, verify, move and remove indexes'
complete -c rag -n "__fish_rag_using_subcommand help; and not __fish_seen_subcommand_from ingest jobs search ask chat sessions index documents cache model serve token eval mcp stats worker migrate doctor completions man help" -f -a "documents" -d 'List, show and remove the documents of an index'
complete -c rag -n "__fish_rag_using_subcommand help; and not __fish_seen_subcommand_from ingest jobs search ask chat sessions index documents cache model serve token eval mcp stats worker migrate doctor completions man help" -f -a "cache" -d 'Show, empty and warm the cache'
complete -c rag -n "__fish_rag_using_subcommand help; and not __fish_seen_subcommand_from ingest jobs search ask chat sessions index documents cache model serve token eval mcp stats worker migrate doctor completions man help" -f -a "model" -d 'List, verify, add and download embedding models'
complete -c rag -n "__fish_rag_using_subcommand help; and not __fish_seen_subcommand_from ingest jobs search ask chat sessions index documents cache model serve token eval mcp stats worker migrate doctor completions man help" -f -a "serve" -d 'Serve a web page and an HTTP API'
complete -c rag -n "__fish_rag_using_subcommand help; and not __fish_seen_subcommand_from ingest jobs search ask chat sessions index documents cache model serve token eval mcp stats worker migrate doctor completions man help" -f -a "token" -d 'Add, list and revoke access tokens of `rag serve`'
complete -c rag -n "__fish_rag_using_subcommand help; and not __fish_seen_subcommand_from ingest jobs search ask chat sessions index documents cache model serve token eval mcp stats worker migrate doctor completions man help" -f -a "eval" -d 'Measure search and answers on questions with known answers'
complete -c rag -n "__fish_rag_using_subcommand help; and not __fish_seen_subcommand_from ingest jobs search ask chat sessions index documents cache model serve token eval mcp stats worker migrate doctor completions man help" -f -a "mcp" -d 'Serve the indexes to agents over the Model Context Protocol'
complete -c rag -n "__fish_rag_using_subcommand help; and not __fish_seen_subcommand_from ingest jobs search ask chat sessions index documents cache model serve token eval mcp stats worker migrate doctor completions man help" -f -a "stats" -d 'Show usage statistics'
complete -c rag -n "__fish_rag_using_subcommand help; and not __fish_seen_subcommand_from ingest jobs search ask chat sessions index documents cache model serve token eval mcp stats worker migrate doctor completions man help" -f -a "worker" -d 'Run jobs until interrupted'
complete -c rag -n "__fish_rag_using_subcommand help; and not __fish_seen_subcommand_from ingest jobs search ask chat sessions index documents cache model serve token eval mcp stats worker migrate doctor completions man help" -f -a "migrate" -d 'Bring the database schema up to date'
complete -c rag -n "__fish_rag_using_subcommand help; and not __fish_seen_subcommand_from ingest jobs search ask chat sessions index documents cache model serve token eval mcp stats worker migrate doctor completions man help" -f -a "doctor" -d 'Check the data directory, library, model, index, cache and outside services'
complete -c rag -n "__fish_rag_using_subcommand help; and not __fish_seen_subcommand_from ingest jobs search ask chat sessions index documents cache model serve token eval mcp stats worker migrate doctor completions man help" -f -a "completions" -d 'Print a shell completion script'
complete -c rag -n "__fish_rag_using_subcommand help; and not __fish_seen_subcommand_from ingest jobs search ask chat sessions index documents cache model serve token eval mcp stats worker migrate doctor completions man help" -f -a "man" -d 'Print a man page'
complete -c rag -n "__fish_rag_using_subcommand help; and not __fish_seen_subcommand_from ingest jobs search ask chat sessions index documents cache model serve token eval mcp stats worker migrate doctor completions man help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c rag -n "__fish_rag_using_subcommand help; and __fish_seen_subcommand_from jobs" -f -a "list" -d 'List jobs, oldest first'
complete -c rag -n "__fish_rag_using_subcommand help; and __fish_seen_subcommand_from jobs" -f -a "show" -d 'Show a job'
complete -c rag -n "__fish_rag_using_subcommand help; and __fish_seen_subcommand_from jobs" -f -a "cancel" -d 'Cancel a queued or running job'
complete -c rag -n "__fish_rag_using_subcommand help; and __fish_seen_subcommand_from jobs" -f -a "retry" -d 'Queue a failed or cancelled job again'
complete -c rag -n "__fish_rag_using_subcommand help; and __fish_seen_subcommand_from jobs" -f -a "clean" -d 'Delete records of finished jobs'
complete -c rag -n "__fish_rag_using_subcommand help; and __fish_seen_subcommand_from jobs" -f -a "run" -d 'Run queued jobs until none is left'
complete -c rag -n "__fish_rag_using_subcommand help; and __fish_seen_subcommand_from sessions" -f -a "list" -d 'List conversations, last used first'
complete -c rag -n "__fish_rag_using_subcommand help; and __fish_seen_subcommand_from sessions" -f -a "show" -d 'Print a conversation'
complete -c rag -n "__fish_rag_using_subcommand help; and __fish_seen_subcommand_from sessions" -f -a "export" -d 'Export a conversation as JSON lines'
complete -c rag -n "__fish_rag_using_subcommand help; and __fish_seen_subcommand_from sessions" -f -a "remove" -d 'Remove conversations'
complete -c rag -n "__fish_rag_using_subcommand help; and __fish_seen_subcommand_from index" -f -a "list" -d 'List the indexes in the data directory'
complete -c rag -n "__fish_rag_using_subcommand help; and __fish_seen_subcommand_from index" -f -a "show" -d 'Show the contents and settings of an index'
complete -c rag -n "__fish_rag_using_subcommand help; and __fish_seen_subcommand_from index" -f -a "verify" -d 'Check every byte of an index and report damage'
complete -c rag -n "__fish_rag_using_subcommand help; and __fish_seen_subcommand_from index" -f -a "save" -d 'Save an index to a single file'
complete -c rag -n "__fish_rag_using_subcommand help; and __fish_seen_subcommand_from index" -f -a "load" -d 'Load an index from a file, checking every byte first'
complete -c rag -n "__fish_rag_using_subcommand help; and __fish_seen_subcommand_from index" -f -a "push" -d 'Copy an index to a bucket or a shared folder'
complete -c rag -n "__fish_rag_using_subcommand help; and __fish_seen_subcommand_from index" -f -a "pull" -d 'Copy an index from a bucket or a shared folder, checking every byte'
complete -c rag -n "__fish_rag_using_subcommand help; and __fish_seen_subcommand_from index" -f -a "gc" -d 'Delete files from the bucket that no index needs any more'
complete -c rag -n "__fish_rag_using_subcommand help; and __fish_seen_subcommand_from index" -f -a "rollback" -d 'Roll back to the previous generation (repeat to undo)'
complete -c rag -n "__fish_rag_using_subcommand help; and __fish_seen_subcommand_from index" -f -a "compact" -d 'Rewrite an index without the remains of removed documents'
complete -c rag -n "__fish_rag_using_subcommand help; and __fish_seen_subcommand_from index" -f -a "remove-folder" -d 'Remove a folder from an index; files on disk are not touched'
complete -c rag -n "__fish_rag_using_subcommand help; and __fish_seen_subcommand_from index" -f -a "remove" -d 'Remove an index; files on disk are not touched'
complete -c rag -n "__fish_rag_using_subcommand help; and __fish_seen_subcommand_from documents" -f -a "list" -d 'List documents'
complete -c rag -n "__fish_rag_using_subcommand help; and __fish_seen_subcommand_from documents" -f -a "show" -d 'Show a document and its passages'
complete -c rag -n "__fish_rag_using_subcommand help; and __fish_seen_subcommand_from documents" -f -a "remove" -d 'Remove documents from the index permanently; files on disk are not touched'
complete -c rag -n "__fish_rag_using_subcommand help; and __fish_seen_subcommand_from documents" -f -a "restore" -d 'Let the next ingest add removed documents again'
complete -c rag -n "__fish_rag_using_subcommand help; and __fish_seen_subcommand_from cache" -f -a "stats" -d 'Show rows, size and hit rate of every table'
complete -c rag -n "__fish_rag_using_subcommand help; and __fish_seen_subcommand_from cache" -f -a "purge" -d 'Empty tables and free their disk space'
complete -c rag -n "__fish_rag_using_subcommand help; and __fish_seen_subcommand_from cache" -f -a "warm" -d 'Answer a file of questions in advance'
complete -c rag -n "__fish_rag_using_subcommand help; and __fish_seen_subcommand_from model" -f -a "list" -d 'List the models on this machine'
complete -c rag -n "__fish_rag_using_subcommand help; and __fish_seen_subcommand_from model" -f -a "verify" -d 'Check every byte of the models and the ONNX Runtime library'
complete -c rag -n "__fish_rag_using_subcommand help; and __fish_seen_subcommand_from model" -f -a "add" -d 'Add a sentence-transformers folder with an ONNX file'
complete -c rag -n "__fish_rag_using_subcommand help; and __fish_seen_subcommand_from model" -f -a "pull" -d 'Download a model from the Hugging Face Hub or HF_ENDPOINT'
complete -c rag -n "__fish_rag_using_subcommand help; and __fish_seen_subcommand_from token" -f -a "add" -d 'Add a token and print it'
complete -c rag -n "__fish_rag_using_subcommand help; and __fish_seen_subcommand_from token" -f -a "list" -d 'List tokens, oldest first'
complete -c rag -n "__fish_rag_using_subcommand help; and __fish_seen_subcommand_from token" -f -a "revoke" -d 'Revoke a token'
