# Completion of trainer for fish. To load it:
#
#     trainer completion fish | source

function __trainer_is_first
    test (count (commandline -opc)) -eq 1
end

function __trainer_command_is
    set -l words (commandline -opc)
    set -l command train
    if contains -- "$words[2]"{{range .Commands}} {{.Name}}{{end}}
        set command $words[2]
    end
    test $command = $argv[1]
end

complete -c trainer -f
{{range .Commands -}}
complete -c trainer -n __trainer_is_first -a {{.Name}} -d {{fish .About}}
{{end}}
{{- $g := .}}
{{- range $c := .Commands}}
{{- range .Flags}}
complete -c trainer -n '__trainer_command_is {{$c.Name}}' -o {{.Name}} -d {{fish .About}}
{{- if eq .Value "config"}} -r -F -a {{fish (join $g.Presets " ")}}
{{- else if eq .Value "setting"}} -x -a {{fish (join $g.Settings " ")}}
{{- else if eq .Value "folder"}} -x -a '(__fish_complete_directories)'
{{- else if eq .Value "file"}} -r -F
{{- else if eq .Value "words"}} -x -a {{fish (join .Words " ")}}
{{- else if .Value}} -x
{{- end}}
{{- end}}
complete -c trainer -n '__trainer_command_is {{.Name}}' -o h -d 'print the help on the command'
{{- if eq .Operand "config"}}
complete -c trainer -n '__trainer_command_is {{.Name}}' -F -a {{fish (join $g.Presets " ")}}
{{- else if eq .Operand "file"}}
complete -c trainer -n '__trainer_command_is {{.Name}}' -F
{{- else if .Words}}
complete -c trainer -n '__trainer_command_is {{.Name}}' -a {{fish (join .Words " ")}}
{{- end}}
{{- end}}
