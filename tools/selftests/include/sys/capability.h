/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The part of libcap that the kernel's iommufd selftest calls, over the system
 * calls: a cross compiler comes without the library.
 */
#ifndef SELFTESTS_SYS_CAPABILITY_H
#define SELFTESTS_SYS_CAPABILITY_H

#include <linux/capability.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

typedef struct selftests_cap {
	struct __user_cap_header_struct header;
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
} *cap_t;
typedef int cap_value_t;
typedef enum { CAP_EFFECTIVE, CAP_PERMITTED, CAP_INHERITABLE } cap_flag_t;
typedef enum { CAP_CLEAR, CAP_SET } cap_flag_value_t;

static inline cap_t cap_get_proc(void)
{
	cap_t caps = calloc(1, sizeof(*caps));

	if (!caps)
		return NULL;
	caps->header.version = _LINUX_CAPABILITY_VERSION_3;
	if (syscall(SYS_capget, &caps->header, caps->data)) {
		free(caps);
		return NULL;
	}
	return caps;
}

static inline int cap_set_proc(cap_t caps)
{
	return syscall(SYS_capset, &caps->header, caps->data);
}

static inline __u32 *selftests_cap_word(cap_t caps, cap_flag_t flag,
					cap_value_t cap)
{
	struct __user_cap_data_struct *data = &caps->data[CAP_TO_INDEX(cap)];

	switch (flag) {
	case CAP_EFFECTIVE:
		return &data->effective;
	case CAP_PERMITTED:
		return &data->permitted;
	default:
		return &data->inheritable;
	}
}

static inline int cap_set_flag(cap_t caps, cap_flag_t flag, int num,
			       const cap_value_t *list, cap_flag_value_t value)
{
	int i;

	for (i = 0; i < num; i++) {
		__u32 *word = selftests_cap_word(caps, flag, list[i]);

		if (value == CAP_SET)
			*word |= CAP_TO_MASK(list[i]);
		else
			*word &= ~CAP_TO_MASK(list[i]);
	}
	return 0;
}

static inline int cap_free(void *caps)
{
	free(caps);
	return 0;
}

#endif
