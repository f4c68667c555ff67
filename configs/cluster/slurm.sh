#!/bin/bash
# Runs a sweep as a Slurm array. Each task does its share of the runs into one
# folder, which all nodes see:
#
#   sbatch slurm.sh sweep.yaml /shared/sweeps/first
#   trainer sweep -merge /shared/sweeps/first        when the array has ended
#
# The options below are what to change; those of the command line come first
# (sbatch --array=0-99 slurm.sh …). A cluster may also want --partition and --account.
#
#SBATCH --job-name=sweep
#
# The number of tasks: each takes its share of the runs, so more tasks than runs are
# no use. --array=0-99%20 runs at most 20 at a time.
#SBATCH --array=0-5
#
# The cores of a task: as many of its runs go on at once.
#SBATCH --cpus-per-task=1
#SBATCH --mem-per-cpu=1G
#
# The time limit. A minute and a half before it, the trainer gets SIGTERM, saves and
# stops; the task then queues again and goes on, so a limit may be shorter than a run.
#SBATCH --time=01:00:00
#SBATCH --signal=TERM@90
#
# If a node fails, or a job of higher priority takes it, the task queues again. It
# keeps the runs that have ended, and goes on from the checkpoint of the others.
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=sweep-%A_%a.log

if [ $# -ne 2 ]; then
	echo "use: sbatch slurm.sh CONFIGURATION FOLDER" >&2
	exit 2
fi
export GOMAXPROCS=$SLURM_CPUS_PER_TASK # where nothing else keeps a task to its cores
srun --ntasks=1 --cpus-per-task="$SLURM_CPUS_PER_TASK" trainer sweep -config "$1" -out "$2"
code=$?
if [ $code -eq 143 ]; then # SIGTERM, before the time limit
	scontrol requeue "$SLURM_JOB_ID"
fi
exit $code
