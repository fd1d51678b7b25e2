# Completion of openmux for fish. What fits is asked of the program itself:
# models, providers, profiles, columns and flags are those of the version and
# the catalog that are installed. It is quick, and never uses the network.

function __openmux_fits
    set -l words (commandline -opc)
    # A quote that is still open is no part of the word.
    set -l current (commandline -ct | string trim -l -c '"\'')
    set -l found ($words[1] completions fish -- \
        $words[2..-1] "$current" 2>/dev/null)
    if test "$found[1]" = :files
        __fish_complete_path "$current"
    else
        printf '%s\n' $found
    end
end

complete -c openmux -f -a '(__openmux_fits)'
