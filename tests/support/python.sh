# Read by scripts that use the library from Python.

# Whether it can: there is a python3, and the library's sanitizers, if any, can be loaded into it.
python_can()
{
    command -v python3 >/dev/null && python3 -c 'import ctypes' 2>/dev/null || return 1
    case ${SANITIZE:-},$(${CC:-cc} --version) in
        ,* | *address*,*"Free Software"*) return 0 ;;
        *) return 1 ;;
    esac
}

# python ARGUMENTS: with what a library under sanitizers wants to be loaded first.
python()
{
    case ${SANITIZE:-} in
        '') python3 "$@" ;;
        *) (
            LD_PRELOAD=$($CC -print-file-name=libasan.so)
            ASAN_OPTIONS=detect_leaks=0
            export LD_PRELOAD ASAN_OPTIONS
            python3 "$@"
        ) ;;
    esac
}
