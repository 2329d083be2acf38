
use builtin;
use str;

set edit:completion:arg-completer[rag] = {|@words|
    fn spaces {|n|
        builtin:repeat $n ' ' | str:join ''
    }
    fn cand {|text desc|
        edit:complex-candidate $text &display=$text' '(spaces (- 14 (wcswidth $text)))$desc
    }
    var command = 'rag'
    for word $words[1..-1] {
        if (str:has-prefix $word '-') {
            break
        }
        set command = $command';'$word
    }
    var completions = [
        &'rag'= {
            cand --data-dir 'Folder of models, indexes and caches [default: data]'
            cand --index 'Index to work on [default: default]'
            cand --color 'When to colour the output'
            cand --json 'Print JSON'
            cand -q 'Print results and errors only'
            cand --quiet 'Print results and errors only'
            cand -v 'Print more'
            cand --verbose 'Print more'
            cand -h 'Print help'
            cand --help 'Print help'
            cand -V 'Print version'
            cand --version 'Print version'
            cand ingest 'Index folders, or bring their index up to date'
            cand jobs 'List, follow, cancel, retry and run jobs'
            cand search 'Rank the passages that match a question'
            cand ask 'Answer a question from the index, with citations'
            cand chat 'Ask one question after another'
            cand sessions 'Show, export or remove conversations'
            cand index 'List, check, move and remove indexes'
            cand documents 'List, show and remove documents of an index'
            cand cache 'Show, empty or fill the caches'
            cand model 'List, check and add embedding models'
            cand serve 'Serve a page and an HTTP interface'
            cand eval 'Measure retrieval on questions with known answers'
            cand mcp 'Serve the indexes to a program that speaks the Model Context Protocol'
            cand stats 'Tell what was asked, how long it took and what was read'
            cand doctor 'Check data directory, library, model, index, cache and language model, and say what to do'
            cand completions 'Print completions for a shell'
            cand man 'Print a manual page'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'rag;ingest'= {
            cand --dir 'Folder to index, in another spelling; may be given several times'
            cand --model 'Embedding model [default: all-MiniLM-L6-v2]'
            cand --include 'Only files that match, as in .gitignore'
            cand --exclude 'No files that match, as in .gitignore'
            cand --wait 'Wait for another writer to finish'
            cand --threads 'Threads for reading and embedding [default: one per core]'
            cand --poll 'Look at the folders this often instead of being told of changes, as network drives need'
            cand --priority 'Which of several waiting jobs goes first'
            cand --after 'Wait for this job to succeed; may be given several times'
            cand --data-dir 'Folder of models, indexes and caches [default: data]'
            cand --index 'Index to work on [default: default]'
            cand --color 'When to colour the output'
            cand --only 'Take every other folder out of the index: it has these folders afterwards and no others'
            cand --yes 'Remove documents without asking'
            cand --no-cache 'Neither read nor write the embedding cache'
            cand --retry-failed 'Read files again that failed before, though they have not changed'
            cand --detach 'Print the id of the job and leave it to a worker in the background'
            cand --watch 'Stay, and ingest again whenever something has changed; Ctrl-C ends it'
            cand --json 'Print JSON'
            cand -q 'Print results and errors only'
            cand --quiet 'Print results and errors only'
            cand -v 'Print more'
            cand --verbose 'Print more'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'rag;jobs'= {
            cand --data-dir 'Folder of models, indexes and caches [default: data]'
            cand --index 'Index to work on [default: default]'
            cand --color 'When to colour the output'
            cand --json 'Print JSON'
            cand -q 'Print results and errors only'
            cand --quiet 'Print results and errors only'
            cand -v 'Print more'
            cand --verbose 'Print more'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand list 'List the jobs in the order in which they were asked for'
            cand show 'Show a job'
            cand cancel 'Take a job from the queue, or stop it'
            cand retry 'Queue a job again that failed or was cancelled'
            cand clean 'Forget jobs that are over'
            cand run 'Run jobs until none is left'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'rag;jobs;list'= {
            cand --data-dir 'Folder of models, indexes and caches [default: data]'
            cand --index 'Index to work on [default: default]'
            cand --color 'When to colour the output'
            cand --json 'Print JSON'
            cand -q 'Print results and errors only'
            cand --quiet 'Print results and errors only'
            cand -v 'Print more'
            cand --verbose 'Print more'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'rag;jobs;show'= {
            cand --data-dir 'Folder of models, indexes and caches [default: data]'
            cand --index 'Index to work on [default: default]'
            cand --color 'When to colour the output'
            cand --follow 'Stay until it is over, and end as it ended'
            cand --json 'Print JSON'
            cand -q 'Print results and errors only'
            cand --quiet 'Print results and errors only'
            cand -v 'Print more'
            cand --verbose 'Print more'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'rag;jobs;cancel'= {
            cand --data-dir 'Folder of models, indexes and caches [default: data]'
            cand --index 'Index to work on [default: default]'
            cand --color 'When to colour the output'
            cand --json 'Print JSON'
            cand -q 'Print results and errors only'
            cand --quiet 'Print results and errors only'
            cand -v 'Print more'
            cand --verbose 'Print more'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'rag;jobs;retry'= {
            cand --data-dir 'Folder of models, indexes and caches [default: data]'
            cand --index 'Index to work on [default: default]'
            cand --color 'When to colour the output'
            cand --json 'Print JSON'
            cand -q 'Print results and errors only'
            cand --quiet 'Print results and errors only'
            cand -v 'Print more'
            cand --verbose 'Print more'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'rag;jobs;clean'= {
            cand --older-than 'Only those that ended so long ago [default: the setting `jobs.keep_hours`]'
            cand --data-dir 'Folder of models, indexes and caches [default: data]'
            cand --index 'Index to work on [default: default]'
            cand --color 'When to colour the output'
            cand --json 'Print JSON'
            cand -q 'Print results and errors only'
            cand --quiet 'Print results and errors only'
            cand -v 'Print more'
            cand --verbose 'Print more'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'rag;jobs;run'= {
            cand --data-dir 'Folder of models, indexes and caches [default: data]'
            cand --index 'Index to work on [default: default]'
            cand --color 'When to colour the output'
            cand --one 'One job, in this process'
            cand --detached 'In a session of its own, so that the end of the terminal is not its end'
            cand --json 'Print JSON'
            cand -q 'Print results and errors only'
            cand --quiet 'Print results and errors only'
            cand -v 'Print more'
            cand --verbose 'Print more'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'rag;jobs;help'= {
            cand list 'List the jobs in the order in which they were asked for'
            cand show 'Show a job'
            cand cancel 'Take a job from the queue, or stop it'
            cand retry 'Queue a job again that failed or was cancelled'
            cand clean 'Forget jobs that are over'
            cand run 'Run jobs until none is left'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'rag;jobs;help;list'= {
        }
        &'rag;jobs;help;show'= {
        }
        &'rag;jobs;help;cancel'= {
        }
        &'rag;jobs;help;retry'= {
        }
        &'rag;jobs;help;clean'= {
        }
        &'rag;jobs;help;run'= {
        }
        &'rag;jobs;help;help'= {
        }
        &'rag;search'= {
            cand -k 'Number of passages [default: 10]'
            cand --mode 'Which legs to use [default: hybrid]'
            cand --filter 'Only documents that match, as in `type:markdown and not path:drafts/**`'
            cand --rerank 'Look again at the best N passages, token by token [N: 40, default: no second look]'
            cand --data-dir 'Folder of models, indexes and caches [default: data]'
            cand --index 'Index to work on [default: default]'
            cand --color 'When to colour the output'
            cand --explain 'Show both legs'' ranks, scores and weights'
            cand --no-cache 'Neither read nor write the cache'
            cand --json 'Print JSON'
            cand -q 'Print results and errors only'
            cand --quiet 'Print results and errors only'
            cand -v 'Print more'
            cand --verbose 'Print more'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'rag;ask'= {
            cand --batch 'Answer every line of FILE (or `-`): a question, or {"id": …, "question": "…"}; prints one JSON object a line'
            cand --session 'Begin the conversation of this name, or go on with it'
            cand -k 'Passages to consider [default: 10]'
            cand --mode 'Which legs to use [default: hybrid]'
            cand --filter 'Only documents that match, as in `type:markdown and not path:drafts/**`'
            cand --rerank 'Look again at the best N passages, token by token [N: 40, default: no second look]'
            cand --intent 'What kind of answer [default: told from the question]'
            cand --max-words 'Longest answer, in words [default: 60]'
            cand --generator 'Who writes the answer: its sentences, or a language model [default: extractive]'
            cand --fallback 'Who writes it when the language model fails [default: nobody]'
            cand --data-dir 'Folder of models, indexes and caches [default: data]'
            cand --index 'Index to work on [default: default]'
            cand --color 'When to colour the output'
            cand --continue 'Go on with the conversation that was used last'
            cand --no-cache 'Neither read nor write the cache'
            cand --refresh 'Compute anew and replace what the cache has'
            cand --json 'Print JSON'
            cand -q 'Print results and errors only'
            cand --quiet 'Print results and errors only'
            cand -v 'Print more'
            cand --verbose 'Print more'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'rag;chat'= {
            cand --session 'Begin the conversation of this name, or go on with it'
            cand -k 'Passages to consider [default: 10]'
            cand --mode 'Which legs to use [default: hybrid]'
            cand --filter 'Only documents that match, as in `type:markdown and not path:drafts/**`'
            cand --rerank 'Look again at the best N passages, token by token [N: 40, default: no second look]'
            cand --intent 'What kind of answer [default: told from the question]'
            cand --max-words 'Longest answer, in words [default: 60]'
            cand --generator 'Who writes the answer: its sentences, or a language model [default: extractive]'
            cand --fallback 'Who writes it when the language model fails [default: nobody]'
            cand --data-dir 'Folder of models, indexes and caches [default: data]'
            cand --index 'Index to work on [default: default]'
            cand --color 'When to colour the output'
            cand --continue 'Go on with the conversation that was used last'
            cand --no-cache 'Neither read nor write the cache'
            cand --refresh 'Compute anew and replace what the cache has'
            cand --json 'Print JSON'
            cand -q 'Print results and errors only'
            cand --quiet 'Print results and errors only'
            cand -v 'Print more'
            cand --verbose 'Print more'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'rag;sessions'= {
            cand --data-dir 'Folder of models, indexes and caches [default: data]'
            cand --index 'Index to work on [default: default]'
            cand --color 'When to colour the output'
            cand --json 'Print JSON'
            cand -q 'Print results and errors only'
            cand --quiet 'Print results and errors only'
            cand -v 'Print more'
            cand --verbose 'Print more'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand list 'List the conversations, the last used first'
            cand show 'Print a conversation'
            cand export 'Write a conversation to a file, one JSON object a line'
            cand remove 'Remove conversations'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'rag;sessions;list'= {
            cand --data-dir 'Folder of models, indexes and caches [default: data]'
            cand --index 'Index to work on [default: default]'
            cand --color 'When to colour the output'
            cand --json 'Print JSON'
            cand -q 'Print results and errors only'
            cand --quiet 'Print results and errors only'
            cand -v 'Print more'
            cand --verbose 'Print more'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'rag;sessions;show'= {
            cand --data-dir 'Folder of models, indexes and caches [default: data]'
            cand --index 'Index to work on [default: default]'
            cand --color 'When to colour the output'
            cand --json 'Print JSON'
            cand -q 'Print results and errors only'
            cand --quiet 'Print results and errors only'
            cand -v 'Print more'
            cand --verbose 'Print more'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'rag;sessions;export'= {
            cand --to 'Folder for session.jsonl [default: `runs/session_TIME` in the data directory]'
            cand --data-dir 'Folder of models, indexes and caches [default: data]'
            cand --index 'Index to work on [default: default]'
            cand --color 'When to colour the output'
            cand --force 'Replace a session.jsonl that is there'
            cand --json 'Print JSON'
            cand -q 'Print results and errors only'
            cand --quiet 'Print results and errors only'
            cand -v 'Print more'
            cand --verbose 'Print more'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'rag;sessions;remove'= {
            cand --data-dir 'Folder of models, indexes and caches [default: data]'
            cand --index 'Index to work on [default: default]'
            cand --color 'When to colour the output'
            cand --all 'Remove every conversation, and the questions that `rag chat` remembers'
            cand -y 'Do not ask'
            cand --yes 'Do not ask'
            cand --json 'Print JSON'
            cand -q 'Print results and errors only'
            cand --quiet 'Print results and errors only'
            cand -v 'Print more'
            cand --verbose 'Print more'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'rag;sessions;help'= {
            cand list 'List the conversations, the last used first'
            cand show 'Print a conversation'
            cand export 'Write a conversation to a file, one JSON object a line'
            cand remove 'Remove conversations'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'rag;sessions;help;list'= {
        }
        &'rag;sessions;help;show'= {
        }
        &'rag;sessions;help;export'= {
        }
        &'rag;sessions;help;remove'= {
        }
        &'rag;sessions;help;help'= {
        }
        &'rag;index'= {
            cand --data-dir 'Folder of models, indexes and caches [default: data]'
            cand --index 'Index to work on [default: default]'
            cand --color 'When to colour the output'
            cand --json 'Print JSON'
            cand -q 'Print results and errors only'
            cand --quiet 'Print results and errors only'
            cand -v 'Print more'
            cand --verbose 'Print more'
            cand -h 'Print help'
            cand --help 'Print help'
            cand list 'List the indexes of the data directory'
            cand show 'Show what an index is made of'
            cand verify 'Check every byte of an index and name what is damaged'
            cand save 'Write an index to one file'
            cand load 'Read an index from a file, checking every byte first'
            cand rollback 'Go back to the generation before the present one, which stays to go forward to again'
            cand compact 'Write an index anew without what removed documents left in its files'
            cand remove-folder 'Take a folder out of an index; its files are not touched'
            cand remove 'Remove an index; files that were indexed are not touched'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'rag;index;list'= {
            cand --data-dir 'Folder of models, indexes and caches [default: data]'
            cand --index 'Index to work on [default: default]'
            cand --color 'When to colour the output'
            cand --everywhere 'List those of every data directory in which you made one'
            cand --json 'Print JSON'
            cand -q 'Print results and errors only'
            cand --quiet 'Print results and errors only'
            cand -v 'Print more'
            cand --verbose 'Print more'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'rag;index;show'= {
            cand --data-dir 'Folder of models, indexes and caches [default: data]'
            cand --index 'Index to work on [default: default]'
            cand --color 'When to colour the output'
            cand --json 'Print JSON'
            cand -q 'Print results and errors only'
            cand --quiet 'Print results and errors only'
            cand -v 'Print more'
            cand --verbose 'Print more'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'rag;index;verify'= {
            cand --data-dir 'Folder of models, indexes and caches [default: data]'
            cand --index 'Index to work on [default: default]'
            cand --color 'When to colour the output'
            cand --repair 'Mend what is damaged, from what is left of the index, the indexed files and the embedding cache'
            cand --json 'Print JSON'
            cand -q 'Print results and errors only'
            cand --quiet 'Print results and errors only'
            cand -v 'Print more'
            cand --verbose 'Print more'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'rag;index;save'= {
            cand --data-dir 'Folder of models, indexes and caches [default: data]'
            cand --index 'Index to work on [default: default]'
            cand --color 'When to colour the output'
            cand --force 'Replace a file of that name'
            cand --json 'Print JSON'
            cand -q 'Print results and errors only'
            cand --quiet 'Print results and errors only'
            cand -v 'Print more'
            cand --verbose 'Print more'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'rag;index;load'= {
            cand --as 'Name for the index [default: the name it was saved under]'
            cand --data-dir 'Folder of models, indexes and caches [default: data]'
            cand --index 'Index to work on [default: default]'
            cand --color 'When to colour the output'
            cand --replace 'Replace an index of that name'
            cand --json 'Print JSON'
            cand -q 'Print results and errors only'
            cand --quiet 'Print results and errors only'
            cand -v 'Print more'
            cand --verbose 'Print more'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'rag;index;rollback'= {
            cand --data-dir 'Folder of models, indexes and caches [default: data]'
            cand --index 'Index to work on [default: default]'
            cand --color 'When to colour the output'
            cand --json 'Print JSON'
            cand -q 'Print results and errors only'
            cand --quiet 'Print results and errors only'
            cand -v 'Print more'
            cand --verbose 'Print more'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'rag;index;compact'= {
            cand --data-dir 'Folder of models, indexes and caches [default: data]'
            cand --index 'Index to work on [default: default]'
            cand --color 'When to colour the output'
            cand --json 'Print JSON'
            cand -q 'Print results and errors only'
            cand --quiet 'Print results and errors only'
            cand -v 'Print more'
            cand --verbose 'Print more'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'rag;index;remove-folder'= {
            cand --wait 'Wait for another writer to finish'
            cand --data-dir 'Folder of models, indexes and caches [default: data]'
            cand --index 'Index to work on [default: default]'
            cand --color 'When to colour the output'
            cand -y 'Do not ask'
            cand --yes 'Do not ask'
            cand --json 'Print JSON'
            cand -q 'Print results and errors only'
            cand --quiet 'Print results and errors only'
            cand -v 'Print more'
            cand --verbose 'Print more'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'rag;index;remove'= {
            cand --data-dir 'Folder of models, indexes and caches [default: data]'
            cand --index 'Index to work on [default: default]'
            cand --color 'When to colour the output'
            cand -y 'Do not ask'
            cand --yes 'Do not ask'
            cand --json 'Print JSON'
            cand -q 'Print results and errors only'
            cand --quiet 'Print results and errors only'
            cand -v 'Print more'
            cand --verbose 'Print more'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'rag;index;help'= {
            cand list 'List the indexes of the data directory'
            cand show 'Show what an index is made of'
            cand verify 'Check every byte of an index and name what is damaged'
            cand save 'Write an index to one file'
            cand load 'Read an index from a file, checking every byte first'
            cand rollback 'Go back to the generation before the present one, which stays to go forward to again'
            cand compact 'Write an index anew without what removed documents left in its files'
            cand remove-folder 'Take a folder out of an index; its files are not touched'
            cand remove 'Remove an index; files that were indexed are not touched'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'rag;index;help;list'= {
        }
        &'rag;index;help;show'= {
        }
        &'rag;index;help;verify'= {
        }
        &'rag;index;help;save'= {
        }
        &'rag;index;help;load'= {
        }
        &'rag;index;help;rollback'= {
        }
        &'rag;index;help;compact'= {
        }
        &'rag;index;help;remove-folder'= {
        }
        &'rag;index;help;remove'= {
        }
        &'rag;index;help;help'= {
        }
        &'rag;documents'= {
            cand --data-dir 'Folder of models, indexes and caches [default: data]'
            cand --index 'Index to work on [default: default]'
            cand --color 'When to colour the output'
            cand --json 'Print JSON'
            cand -q 'Print results and errors only'
            cand --quiet 'Print results and errors only'
            cand -v 'Print more'
            cand --verbose 'Print more'
            cand -h 'Print help'
            cand --help 'Print help'
            cand list 'List the documents'
            cand show 'Show what is known of a document, and its passages'
            cand remove 'Remove documents from the index for good; the files are not touched'
            cand restore 'Let the next ingest take removed documents in again'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'rag;documents;list'= {
            cand --filter 'Only those that match, as in `type:markdown and not path:drafts/**`'
            cand --data-dir 'Folder of models, indexes and caches [default: data]'
            cand --index 'Index to work on [default: default]'
            cand --color 'When to colour the output'
            cand --failed 'Files that could not be read, and why'
            cand --skipped 'Files without text, and why'
            cand --removed 'Documents that `rag documents remove` keeps out'
            cand --json 'Print JSON'
            cand -q 'Print results and errors only'
            cand --quiet 'Print results and errors only'
            cand -v 'Print more'
            cand --verbose 'Print more'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'rag;documents;show'= {
            cand --data-dir 'Folder of models, indexes and caches [default: data]'
            cand --index 'Index to work on [default: default]'
            cand --color 'When to colour the output'
            cand --json 'Print JSON'
            cand -q 'Print results and errors only'
            cand --quiet 'Print results and errors only'
            cand -v 'Print more'
            cand --verbose 'Print more'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'rag;documents;remove'= {
            cand --wait 'Wait for another writer to finish'
            cand --data-dir 'Folder of models, indexes and caches [default: data]'
            cand --index 'Index to work on [default: default]'
            cand --color 'When to colour the output'
            cand -y 'Do not ask'
            cand --yes 'Do not ask'
            cand --json 'Print JSON'
            cand -q 'Print results and errors only'
            cand --quiet 'Print results and errors only'
            cand -v 'Print more'
            cand --verbose 'Print more'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'rag;documents;restore'= {
            cand --wait 'Wait for another writer to finish'
            cand --data-dir 'Folder of models, indexes and caches [default: data]'
            cand --index 'Index to work on [default: default]'
            cand --color 'When to colour the output'
            cand --json 'Print JSON'
            cand -q 'Print results and errors only'
            cand --quiet 'Print results and errors only'
            cand -v 'Print more'
            cand --verbose 'Print more'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'rag;documents;help'= {
            cand list 'List the documents'
            cand show 'Show what is known of a document, and its passages'
            cand remove 'Remove documents from the index for good; the files are not touched'
            cand restore 'Let the next ingest take removed documents in again'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'rag;documents;help;list'= {
        }
        &'rag;documents;help;show'= {
        }
        &'rag;documents;help;remove'= {
        }
        &'rag;documents;help;restore'= {
        }
        &'rag;documents;help;help'= {
        }
        &'rag;cache'= {
            cand --purge 'Same as `rag cache purge`'
            cand --data-dir 'Folder of models, indexes and caches [default: data]'
            cand --index 'Index to work on [default: default]'
            cand --color 'When to colour the output'
            cand --stats 'Same as `rag cache stats`'
            cand --json 'Print JSON'
            cand -q 'Print results and errors only'
            cand --quiet 'Print results and errors only'
            cand -v 'Print more'
            cand --verbose 'Print more'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand stats 'Count rows and bytes by table'
            cand purge 'Empty tables and give their space back'
            cand warm 'Answer every question of FILE, so that the next time is quick'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'rag;cache;stats'= {
            cand --data-dir 'Folder of models, indexes and caches [default: data]'
            cand --index 'Index to work on [default: default]'
            cand --color 'When to colour the output'
            cand --json 'Print JSON'
            cand -q 'Print results and errors only'
            cand --quiet 'Print results and errors only'
            cand -v 'Print more'
            cand --verbose 'Print more'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'rag;cache;purge'= {
            cand --data-dir 'Folder of models, indexes and caches [default: data]'
            cand --index 'Index to work on [default: default]'
            cand --color 'When to colour the output'
            cand --json 'Print JSON'
            cand -q 'Print results and errors only'
            cand --quiet 'Print results and errors only'
            cand -v 'Print more'
            cand --verbose 'Print more'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'rag;cache;warm'= {
            cand -k 'Passages to consider [default: 10]'
            cand --mode 'Which legs to use [default: hybrid]'
            cand --filter 'Only documents that match, as in `type:markdown and not path:drafts/**`'
            cand --rerank 'Look again at the best N passages, token by token [N: 40, default: no second look]'
            cand --intent 'What kind of answer [default: told from the question]'
            cand --max-words 'Longest answer, in words [default: 60]'
            cand --generator 'Who writes the answer: its sentences, or a language model [default: extractive]'
            cand --fallback 'Who writes it when the language model fails [default: nobody]'
            cand --data-dir 'Folder of models, indexes and caches [default: data]'
            cand --index 'Index to work on [default: default]'
            cand --color 'When to colour the output'
            cand --no-cache 'Neither read nor write the cache'
            cand --refresh 'Compute anew and replace what the cache has'
            cand --json 'Print JSON'
            cand -q 'Print results and errors only'
            cand --quiet 'Print results and errors only'
            cand -v 'Print more'
            cand --verbose 'Print more'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'rag;cache;help'= {
            cand stats 'Count rows and bytes by table'
            cand purge 'Empty tables and give their space back'
            cand warm 'Answer every question of FILE, so that the next time is quick'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'rag;cache;help;stats'= {
        }
        &'rag;cache;help;purge'= {
        }
        &'rag;cache;help;warm'= {
        }
        &'rag;cache;help;help'= {
        }
        &'rag;model'= {
            cand --data-dir 'Folder of models, indexes and caches [default: data]'
            cand --index 'Index to work on [default: default]'
            cand --color 'When to colour the output'
            cand --json 'Print JSON'
            cand -q 'Print results and errors only'
            cand --quiet 'Print results and errors only'
            cand -v 'Print more'
            cand --verbose 'Print more'
            cand -h 'Print help'
            cand --help 'Print help'
            cand list 'List the models on this machine'
            cand verify 'Check every byte of the models and of the ONNX Runtime library'
            cand add 'Add a sentence-transformers folder that has an ONNX file'
            cand pull 'Fetch a model from the Hugging Face hub, or from HF_ENDPOINT'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'rag;model;list'= {
            cand --data-dir 'Folder of models, indexes and caches [default: data]'
            cand --index 'Index to work on [default: default]'
            cand --color 'When to colour the output'
            cand --json 'Print JSON'
            cand -q 'Print results and errors only'
            cand --quiet 'Print results and errors only'
            cand -v 'Print more'
            cand --verbose 'Print more'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'rag;model;verify'= {
            cand --data-dir 'Folder of models, indexes and caches [default: data]'
            cand --index 'Index to work on [default: default]'
            cand --color 'When to colour the output'
            cand --json 'Print JSON'
            cand -q 'Print results and errors only'
            cand --quiet 'Print results and errors only'
            cand -v 'Print more'
            cand --verbose 'Print more'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'rag;model;add'= {
            cand --name 'Name for the model [default: the folder''s name]'
            cand --data-dir 'Folder of models, indexes and caches [default: data]'
            cand --index 'Index to work on [default: default]'
            cand --color 'When to colour the output'
            cand --json 'Print JSON'
            cand -q 'Print results and errors only'
            cand --quiet 'Print results and errors only'
            cand -v 'Print more'
            cand --verbose 'Print more'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'rag;model;pull'= {
            cand --revision 'Branch, tag or commit'
            cand --name 'Name for the model [default: the repository''s last part]'
            cand --data-dir 'Folder of models, indexes and caches [default: data]'
            cand --index 'Index to work on [default: default]'
            cand --color 'When to colour the output'
            cand --json 'Print JSON'
            cand -q 'Print results and errors only'
            cand --quiet 'Print results and errors only'
            cand -v 'Print more'
            cand --verbose 'Print more'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'rag;model;help'= {
            cand list 'List the models on this machine'
            cand verify 'Check every byte of the models and of the ONNX Runtime library'
            cand add 'Add a sentence-transformers folder that has an ONNX file'
            cand pull 'Fetch a model from the Hugging Face hub, or from HF_ENDPOINT'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'rag;model;help;list'= {
        }
        &'rag;model;help;verify'= {
        }
        &'rag;model;help;add'= {
        }
        &'rag;model;help;pull'= {
        }
        &'rag;model;help;help'= {
        }
        &'rag;serve'= {
            cand --host 'Address to listen on [default: 127.0.0.1]'
            cand -p 'Port to listen on, or 0 for any free one [default: 8000]'
            cand --port 'Port to listen on, or 0 for any free one [default: 8000]'
            cand --data-dir 'Folder of models, indexes and caches [default: data]'
            cand --index 'Index to work on [default: default]'
            cand --color 'When to colour the output'
            cand --json 'Print JSON'
            cand -q 'Print results and errors only'
            cand --quiet 'Print results and errors only'
            cand -v 'Print more'
            cand --verbose 'Print more'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'rag;eval'= {
            cand --filter 'Only documents that match, as in `type:markdown and not path:drafts/**`'
            cand --data-dir 'Folder of models, indexes and caches [default: data]'
            cand --index 'Index to work on [default: default]'
            cand --color 'When to colour the output'
            cand --json 'Print JSON'
            cand -q 'Print results and errors only'
            cand --quiet 'Print results and errors only'
            cand -v 'Print more'
            cand --verbose 'Print more'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'rag;mcp'= {
            cand --root 'Folder beneath which it may; can be given several times [default: the setting `serve.roots`]'
            cand --data-dir 'Folder of models, indexes and caches [default: data]'
            cand --index 'Index to work on [default: default]'
            cand --color 'When to colour the output'
            cand --allow-ingest 'Let the program ingest folders beneath those of --root'
            cand --json 'Print JSON'
            cand -q 'Print results and errors only'
            cand --quiet 'Print results and errors only'
            cand -v 'Print more'
            cand --verbose 'Print more'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'rag;stats'= {
            cand --since 'How far back: 30m, 12h, 7d, 4w [default: all there is]'
            cand --data-dir 'Folder of models, indexes and caches [default: data]'
            cand --index 'Index to work on [default: default]'
            cand --color 'When to colour the output'
            cand --purge 'Remove every record'
            cand -y 'Do not ask'
            cand --yes 'Do not ask'
            cand --json 'Print JSON'
            cand -q 'Print results and errors only'
            cand --quiet 'Print results and errors only'
            cand -v 'Print more'
            cand --verbose 'Print more'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'rag;doctor'= {
            cand --data-dir 'Folder of models, indexes and caches [default: data]'
            cand --index 'Index to work on [default: default]'
            cand --color 'When to colour the output'
            cand --json 'Print JSON'
            cand -q 'Print results and errors only'
            cand --quiet 'Print results and errors only'
            cand -v 'Print more'
            cand --verbose 'Print more'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'rag;completions'= {
            cand --data-dir 'Folder of models, indexes and caches [default: data]'
            cand --index 'Index to work on [default: default]'
            cand --color 'When to colour the output'
            cand --json 'Print JSON'
            cand -q 'Print results and errors only'
            cand --quiet 'Print results and errors only'
            cand -v 'Print more'
            cand --verbose 'Print more'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'rag;man'= {
            cand --data-dir 'Folder of models, indexes and caches [default: data]'
            cand --index 'Index to work on [default: default]'
            cand --color 'When to colour the output'
            cand --json 'Print JSON'
            cand -q 'Print results and errors only'
            cand --quiet 'Print results and errors only'
            cand -v 'Print more'
            cand --verbose 'Print more'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'rag;help'= {
            cand ingest 'Index folders, or bring their index up to date'
            cand jobs 'List, follow, cancel, retry and run jobs'
            cand search 'Rank the passages that match a question'
            cand ask 'Answer a question from the index, with citations'
            cand chat 'Ask one question after another'
            cand sessions 'Show, export or remove conversations'
            cand index 'List, check, move and remove indexes'
            cand documents 'List, show and remove documents of an index'
            cand cache 'Show, empty or fill the caches'
            cand model 'List, check and add embedding models'
            cand serve 'Serve a page and an HTTP interface'
            cand eval 'Measure retrieval on questions with known answers'
            cand mcp 'Serve the indexes to a program that speaks the Model Context Protocol'
            cand stats 'Tell what was asked, how long it took and what was read'
            cand doctor 'Check data directory, library, model, index, cache and language model, and say what to do'
            cand completions 'Print completions for a shell'
            cand man 'Print a manual page'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'rag;help;ingest'= {
        }
        &'rag;help;jobs'= {
            cand list 'List the jobs in the order in which they were asked for'
            cand show 'Show a job'
            cand cancel 'Take a job from the queue, or stop it'
            cand retry 'Queue a job again that failed or was cancelled'
            cand clean 'Forget jobs that are over'
            cand run 'Run jobs until none is left'
        }
        &'rag;help;jobs;list'= {
        }
        &'rag;help;jobs;show'= {
        }
        &'rag;help;jobs;cancel'= {
        }
        &'rag;help;jobs;retry'= {
        }
        &'rag;help;jobs;clean'= {
        }
        &'rag;help;jobs;run'= {
        }
        &'rag;help;search'= {
        }
        &'rag;help;ask'= {
        }
        &'rag;help;chat'= {
        }
        &'rag;help;sessions'= {
            cand list 'List the conversations, the last used first'
            cand show 'Print a conversation'
            cand export 'Write a conversation to a file, one JSON object a line'
            cand remove 'Remove conversations'
        }
        &'rag;help;sessions;list'= {
        }
        &'rag;help;sessions;show'= {
        }
        &'rag;help;sessions;export'= {
        }
        &'rag;help;sessions;remove'= {
        }
        &'rag;help;index'= {
            cand list 'List the indexes of the data directory'
            cand show 'Show what an index is made of'
            cand verify 'Check every byte of an index and name what is damaged'
            cand save 'Write an index to one file'
            cand load 'Read an index from a file, checking every byte first'
            cand rollback 'Go back to the generation before the present one, which stays to go forward to again'
            cand compact 'Write an index anew without what removed documents left in its files'
            cand remove-folder 'Take a folder out of an index; its files are not touched'
            cand remove 'Remove an index; files that were indexed are not touched'
        }
        &'rag;help;index;list'= {
        }
        &'rag;help;index;show'= {
        }
        &'rag;help;index;verify'= {
        }
        &'rag;help;index;save'= {
        }
        &'rag;help;index;load'= {
        }
        &'rag;help;index;rollback'= {
        }
        &'rag;help;index;compact'= {
        }
        &'rag;help;index;remove-folder'= {
        }
        &'rag;help;index;remove'= {
        }
        &'rag;help;documents'= {
            cand list 'List the documents'
            cand show 'Show what is known of a document, and its passages'
            cand remove 'Remove documents from the index for good; the files are not touched'
            cand restore 'Let the next ingest take removed documents in again'
        }
        &'rag;help;documents;list'= {
        }
        &'rag;help;documents;show'= {
        }
        &'rag;help;documents;remove'= {
        }
        &'rag;help;documents;restore'= {
        }
        &'rag;help;cache'= {
            cand stats 'Count rows and bytes by table'
            cand purge 'Empty tables and give their space back'
            cand warm 'Answer every question of FILE, so that the next time is quick'
        }
        &'rag;help;cache;stats'= {
        }
        &'rag;help;cache;purge'= {
        }
        &'rag;help;cache;warm'= {
        }
        &'rag;help;model'= {
            cand list 'List the models on this machine'
            cand verify 'Check every byte of the models and of the ONNX Runtime library'
            cand add 'Add a sentence-transformers folder that has an ONNX file'
            cand pull 'Fetch a model from the Hugging Face hub, or from HF_ENDPOINT'
        }
        &'rag;help;model;list'= {
        }
        &'rag;help;model;verify'= {
        }
        &'rag;help;model;add'= {
        }
        &'rag;help;model;pull'= {
        }
        &'rag;help;serve'= {
        }
        &'rag;help;eval'= {
        }
        &'rag;help;mcp'= {
        }
        &'rag;help;stats'= {
        }
        &'rag;help;doctor'= {
        }
        &'rag;help;completions'= {
        }
        &'rag;help;man'= {
        }
        &'rag;help;help'= {
        }
    ]
    $completions[$command]
}
