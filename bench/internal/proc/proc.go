// Package proc reads what Linux says of running processes: the CPU time that they
// have used, and the memory that they hold.
package proc

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// Tree returns a process and those that it started.
func Tree(pid int) []int {
	list, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err != nil {
		return []int{pid}
	}
	pids := []int{pid}
	for field := range strings.FieldsSeq(string(list)) {
		if n, err := strconv.Atoi(field); err == nil {
			pids = append(pids, n)
		}
	}
	return pids
}

// CPU returns the CPU time that processes have used so far, to the nanosecond: the
// kernel's other counters tick a hundred times a second.
func CPU(pids ...int) (time.Duration, error) {
	var sum time.Duration
	for _, pid := range pids {
		tasks, err := filepath.Glob(filepath.Join("/proc", strconv.Itoa(pid), "task", "*", "schedstat"))
		if err != nil || len(tasks) == 0 {
			return 0, fmt.Errorf("reading the CPU time of %d: no schedstat in its tasks", pid)
		}
		for _, task := range tasks {
			stat, err := os.ReadFile(task)
			if errors.Is(err, fs.ErrNotExist) {
				continue // a thread that has ended since
			}
			first, _, _ := strings.Cut(string(stat), " ")
			ns, e := strconv.ParseInt(first, 10, 64)
			if err = errors.Join(err, e); err != nil {
				return 0, fmt.Errorf("reading the CPU time of %d: %w", pid, err)
			}
			sum += time.Duration(ns)
		}
	}
	return sum, nil
}

// Memory returns the bytes of a process that are in memory.
func Memory(pid int) (int64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, fmt.Errorf("reading the memory of %d: %w", pid, err)
	}
	_, rest, _ := strings.Cut(string(status), "VmRSS:")
	number, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
	kb, err := strconv.ParseInt(number, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("reading the memory of %d: %w", pid, err)
	}
	return kb << 10, nil
}

// Processor names the processor of this machine and counts its cores.
func Processor() string {
	info, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.SplitSeq(string(info), "\n") {
		if name, ok := strings.CutPrefix(line, "model name"); ok {
			return fmt.Sprintf("%s (%d cores)", strings.TrimSpace(strings.TrimLeft(name, "\t :")), runtime.NumCPU())
		}
	}
	return fmt.Sprintf("%d cores", runtime.NumCPU())
}
