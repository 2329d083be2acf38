# Completion of `rag` in fish: the program itself knows what may follow.

function __rag_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    # An empty last word must be passed too.
    for line in ($words[1] __complete $words[2..] "$current" 2>/dev/null)
        switch $line
            case :files
                __fish_complete_path $current
            case :dirs
                __fish_complete_directories $current ''
            case '*'
                echo $line
        end
    end
end

complete -c rag -f -a '(__rag_complete)'
