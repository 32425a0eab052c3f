"""Names of services by port, from IANA's registry; nothing is looked up, on a network or elsewhere.

The registry names thousands of ports, most of which are also those that clients are given at random. Here are the
services that are met, under their registered names; a port without a name is only a number.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Final

from fluxcap.values.names import SCTP, TCP, UDP, UDP_LITE

LONGEST: Final = 15  # characters of a name (RFC 6335 section 5.1)
TRANSPORTS: Final[Mapping[str, int]] = {"tcp": TCP, "udp": UDP, "sctp": SCTP}
# https://www.iana.org/assignments/service-names-port-numbers: a port, its name, the protocols that it has the name in.
REGISTERED: Final = """
7 echo tcp udp
9 discard tcp udp sctp
13 daytime tcp udp
17 qotd tcp udp
19 chargen tcp udp
20 ftp-data tcp udp sctp
21 ftp tcp udp sctp
22 ssh tcp udp sctp
23 telnet tcp udp
25 smtp tcp udp
37 time tcp udp
43 nicname tcp udp
49 tacacs tcp udp
53 domain tcp udp
67 bootps tcp udp
68 bootpc tcp udp
69 tftp tcp udp
70 gopher tcp udp
79 finger tcp udp
80 http tcp udp sctp
88 kerberos tcp udp
101 hostname tcp udp
102 iso-tsap tcp udp
104 acr-nema tcp udp
109 pop2 tcp udp
110 pop3 tcp udp
111 sunrpc tcp udp
113 auth udp
113 ident tcp
119 nntp tcp udp
123 ntp tcp udp
135 epmap tcp udp
137 netbios-ns tcp udp
138 netbios-dgm tcp udp
139 netbios-ssn tcp udp
143 imap tcp
161 snmp tcp udp
162 snmptrap tcp udp
177 xdmcp tcp udp
179 bgp tcp udp sctp
194 irc tcp udp
199 smux tcp udp
210 z39-50 tcp udp
220 imap3 tcp udp
319 ptp-event tcp udp
320 ptp-general tcp udp
389 ldap tcp udp
427 svrloc tcp udp
443 https tcp udp sctp
445 microsoft-ds tcp udp
464 kpasswd tcp udp
465 submissions tcp
500 isakmp tcp udp
502 mbap tcp udp
512 comsat udp
512 exec tcp
513 login tcp
513 who udp
514 shell tcp
514 syslog udp
515 printer tcp udp
517 talk tcp udp
518 ntalk tcp udp
520 router udp
521 ripng tcp udp
540 uucp tcp udp
546 dhcpv6-client tcp udp
547 dhcpv6-server tcp udp
548 afpovertcp tcp udp
554 rtsp tcp udp
563 nntps tcp udp
587 submission tcp udp
593 http-rpc-epmap tcp udp
623 asf-rmcp udp
631 ipp tcp udp
636 ldaps tcp udp
639 msdp tcp udp
646 ldp tcp udp
647 dhcp-failover tcp udp
749 kerberos-adm tcp udp
853 domain-s tcp udp
860 iscsi tcp udp
873 rsync tcp udp
989 ftps-data tcp udp
990 ftps tcp udp
992 telnets tcp udp
993 imaps tcp
995 pop3s tcp udp
1080 socks tcp udp
1194 openvpn tcp udp
1433 ms-sql-s tcp udp
1434 ms-sql-m tcp udp
1494 ica tcp udp
1512 wins tcp udp
1701 l2f tcp udp
1719 h323gatestat tcp udp
1720 h323hostcall tcp udp sctp
1723 pptp tcp udp
1812 radius tcp udp
1813 radius-acct tcp udp
1883 mqtt tcp udp
1900 ssdp tcp udp
1935 macromedia-fcs tcp udp
1985 hsrp tcp udp
2000 cisco-sccp tcp udp
2049 nfs tcp udp sctp
2083 radsec tcp udp
2123 gtp-control tcp udp
2152 gtp-user tcp udp
2375 docker tcp
2376 docker-s tcp
2377 swarm tcp
2379 etcd-client tcp
2380 etcd-server tcp
2401 cvspserver tcp udp
2404 iec-104 tcp udp
2628 dict tcp udp
2904 m2ua tcp udp sctp
2905 m3ua tcp sctp
2944 megaco-h248 tcp udp sctp
2945 h248-binary tcp udp sctp
3050 gds-db tcp udp
3205 isns tcp udp
3222 glbp tcp udp
3260 iscsi-target tcp udp
3268 msft-gc tcp udp
3269 msft-gc-ssl tcp udp
3306 mysql tcp udp
3389 ms-wbt-server tcp udp
3478 stun tcp udp
3493 nut tcp udp
3544 teredo tcp udp
3632 distcc tcp udp
3689 daap tcp udp
3690 svn tcp udp
3702 ws-discovery tcp udp
3784 bfd-control tcp udp
3785 bfd-echo tcp udp
3799 radius-dynauth tcp udp
3868 diameter tcp sctp
4190 sieve tcp
4341 lisp-data udp
4342 lisp-control udp
4369 epmd tcp udp
4460 ntske tcp
4500 ipsec-nat-t tcp udp
4569 iax tcp udp
4739 ipfix tcp udp sctp
4740 ipfixs tcp udp sctp
4789 vxlan udp
4790 vxlan-gpe udp
4840 opcua-tcp tcp
4840 opcua-udp udp
4949 munin tcp udp
5004 avt-profile-1 tcp udp
5005 avt-profile-2 tcp udp
5060 sip tcp udp sctp
5061 sips tcp udp sctp
5222 xmpp-client tcp
5246 capwap-control udp
5247 capwap-data udp
5269 xmpp-server tcp
5349 stuns tcp udp
5351 pcp udp
5353 mdns tcp udp
5355 llmnr tcp udp
5432 postgresql tcp udp
5445 smbdirect tcp sctp
5666 nrpe tcp
5671 amqps tcp udp
5672 amqp tcp udp sctp
5683 coap tcp udp
5684 coaps tcp udp
5868 diameters tcp sctp
5900 rfb tcp udp
5984 couchdb tcp udp
5985 wsman tcp udp
5986 wsmans tcp udp
6000 x11 tcp udp
6080 gue udp
6081 geneve udp
6343 sflow tcp udp
6379 redis tcp
6513 netconf-tls tcp
6514 syslog-tls tcp udp
6566 sane-port tcp udp
6635 mpls-udp udp
6640 ovsdb tcp
6653 openflow tcp udp
6667 ircu tcp
6784 bfd-lag udp
8008 http-alt tcp udp
8080 http-alt tcp udp
8140 puppet tcp
8554 rtsp-alt tcp udp
8805 pfcp udp
8883 secure-mqtt tcp udp
9101 bacula-dir tcp udp
9102 bacula-fd tcp udp
9103 bacula-sd tcp udp
9418 git tcp udp
9875 sapv1 tcp udp
10050 zabbix-agent tcp udp
10051 zabbix-trapper tcp udp
10809 nbd tcp
11211 memcache tcp udp
20000 dnp tcp udp sctp
20048 mountd tcp udp
27017 mongodb tcp
29118 sgsap sctp
36412 s1-control sctp
36422 x2-control sctp
36443 m2ap sctp
38412 ng-control sctp
38422 xn-control sctp
38462 e1-interface sctp
44818 EtherNet-IP-2 tcp udp
47808 bacnet tcp udp
"""


def service(protocol: int | None, port: int) -> str:
    """The name of the service at a port of a protocol; of any protocol if it is None and all agree. "" for no name.

    UDP-Lite has the names of UDP (RFC 3828 section 6).
    """
    known = TRANSPORTS.values() if protocol is None else (UDP if protocol == UDP_LITE else protocol,)
    found = {name for one in known if (name := names().get((one, port)))}
    return found.pop() if len(found) == 1 else ""


def labelled(protocol: int | None, port: int) -> str:
    """The port, with the name of its service where there is one: 443/https."""
    name = service(protocol, port)
    return f"{port}/{name}" if name else str(port)


def labelled_list(ports: str) -> str:
    """Ports of a host by name, the others as they are, with their protocols: 443/https 9999/tcp +2."""
    return " ".join(map(_labelled_word, ports.split(" ")))


def _labelled_word(word: str) -> str:
    port, _, transport = word.partition("/")
    name = service(TRANSPORTS[transport], int(port)) if transport in TRANSPORTS else ""
    return f"{port}/{name}" if name else word


@functools.cache
def names() -> Mapping[tuple[int, int], str]:
    """The names by protocol and port."""
    rows = [line.split() for line in REGISTERED.split("\n") if line]
    return {(TRANSPORTS[transport], int(port)): name for port, name, *transports in rows for transport in transports}
